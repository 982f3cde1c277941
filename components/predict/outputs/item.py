"""STAC item of a map: its place, time, model, lineage and files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pystac
import shapely
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.sar import FrequencyBand, Polarization, SarExtension
from pystac.extensions.version import ItemVersionExtension
from pystac.utils import datetime_to_str

from components.contract.hashing import sha256_file
from components.lib.catalogue.documents import SHA256_MULTIHASH
from components.lib.datasets.sensors import get_sensor
from components.lib.geo.crs import LON_LAT, move
from components.lib.geo.grid import Grid
from components.lib.tasks.names import TaskName
from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.reading import Summary
from components.predict.outputs.roads.reading import RoadSummary

PROCESSING: Final = "https://stac-extensions.github.io/processing/v1.1.0/schema.json"

_EDGE_POINTS: Final = 8
"""Points along each edge of the footprint: straight edges of a projected grid are curved in degrees."""

_WORDS: Final[Mapping[TaskName, tuple[str, str]]] = {
    "buildings": ("Buildings", "Probabilities and footprints of buildings"),
    "roads": ("Roads", "Probabilities of roads and the graph of their centre lines"),
}
"""Objects of a map, and its content, in words, by task."""

_ASSETS: Final[dict[str, tuple[str, str, tuple[str, ...], str]]] = {
    names.PROBABILITY: ("probability", pystac.MediaType.COG, ("data",), "Probability of {objects}"),
    names.FOOTPRINTS: (
        "footprints",
        pystac.MediaType.VND_APACHE_PARQUET,
        ("data",),
        "Building footprints (GeoParquet)",
    ),
    names.GEOPACKAGE: (
        "footprints-gpkg",
        pystac.MediaType.GEOPACKAGE,
        ("data",),
        "Building footprints (GeoPackage)",
    ),
    names.TILES: (
        "footprints-tiles",
        pystac.MediaType.VND_PMTILES,
        ("visual",),
        "Building footprints (vector tiles)",
    ),
    names.ROADS: ("roads", pystac.MediaType.VND_APACHE_PARQUET, ("data",), "Road graph (GeoParquet)"),
    names.ROAD_GRAPH: ("roads-graph", "application/xml", ("data",), "Road graph (GraphML)"),
    names.ROAD_GEOPACKAGE: ("roads-gpkg", pystac.MediaType.GEOPACKAGE, ("data",), "Road graph (GeoPackage)"),
    names.ROAD_TILES: ("roads-tiles", pystac.MediaType.VND_PMTILES, ("visual",), "Roads (vector tiles)"),
    names.THUMBNAIL: ("thumbnail", pystac.MediaType.PNG, ("thumbnail",), "Thumbnail of the probabilities"),
    names.PAGE: ("page", pystac.MediaType.HTML, ("overview",), "Web page of the map"),
}
"""Key, media type, roles and title of each file, by name; a map has those of its task."""


def map_item(
    folder: Path,
    facts: MapFacts,
    summary: Summary | RoadSummary,
    *,
    thumbnail_words: str = "",
    frequency_band: FrequencyBand = FrequencyBand.X,
) -> pystac.Item:
    """Return the STAC item of a map, with the files that ``folder`` holds as assets.

    Its JSON depends on the arguments and the files alone. Addresses of the files are relative.

    Args:
        folder: Folder of the map's files.
        facts: Facts of the map.
        summary: Numbers of its footprints or roads.
        thumbnail_words: Words on what the thumbnail leaves out; empty if it shows the whole map.
        frequency_band: Band of the radar; SpaceNet 6 and what the rehearsal world imitates are X-band.
    """
    geometry = footprint(facts.grid, facts.scene.crs)
    begin, end = facts.scene.acquired or (facts.created, facts.created)
    item = pystac.Item(
        id=facts.id,
        geometry=shapely.geometry.mapping(geometry),
        bbox=[round(float(v), 7) for v in geometry.bounds],
        datetime=begin,
        start_datetime=begin,
        end_datetime=end,
        properties=_properties(facts, summary),
    )
    _describe(item, facts, frequency_band)
    _add_assets(item, folder, _WORDS[facts.task][0].lower())
    if thumbnail_words:
        item.assets["thumbnail"].description = thumbnail_words
    if facts.model.item_href is not None:
        item.add_link(
            pystac.Link(
                rel=pystac.RelType.DERIVED_FROM,
                target=facts.model.item_href,
                media_type=pystac.MediaType.GEOJSON,
                title=f"Model {facts.model.words}",
            )
        )
    return item


def item_json(item: pystac.Item) -> dict[str, Any]:
    """Return the item as it is published: links as given, none to a catalogue yet."""
    return item.to_dict(include_self_link=False, transform_hrefs=False)


def footprint(grid: Grid, crs: str) -> shapely.Polygon:
    """Return the outline of a grid in EPSG:4326, longitude before latitude, counter-clockwise."""
    width, height = grid.side_m
    outline = shapely.box(
        grid.x_left_m, grid.y_top_m - height, grid.x_left_m + width, grid.y_top_m, ccw=True
    ).segmentize(max(width, height) / _EDGE_POINTS)
    moved = move(shapely.get_coordinates(outline), crs, LON_LAT, "the map's outline")
    return shapely.orient_polygons(shapely.Polygon(np.round(moved, 7)))


def _properties(facts: MapFacts, summary: Summary | RoadSummary) -> dict[str, Any]:
    objects, content = _WORDS[facts.task]
    scene, model = facts.scene, facts.model
    unknown = "" if scene.acquired else " The time of the acquisition is unknown: it is that of the map."
    simulated = " Simulated: the scene comes from the rehearsal world." if scene.simulated else ""
    other = facts.statistics_of
    taken = f" The model took this sensor for {other}: of unknown worth." if other else ""
    return {
        "title": f"{objects} of {scene.name}",
        "description": (f"{content}, made by {model.words}, from {scene.sensor}.{taken}{simulated}{unknown}"),
        "created": datetime_to_str(facts.created),
        "gsd": facts.grid.gsd_m,
        "instruments": [scene.sensor],
        "processing:lineage": (f"Predicted from {len(scene.sources)} file(s) by {model.words}"),
        "processing:software": {"stormsight": facts.code},
        "stormsight:simulated": scene.simulated,
        "stormsight:modality": scene.modality,
        "stormsight:model": {
            "name": model.name,
            "version": model.version,
            "weights_sha256": model.weights_sha256,
            "promoted": model.promoted,
            "simulated": model.simulated,
        },
        "stormsight:statistics_of": other or scene.sensor,
        "stormsight:sources": [{"name": s.name, "sha256": s.sha256} for s in scene.sources],
        "stormsight:parameters_sha256": facts.parameters_sha256,
        "stormsight:image": facts.image,
        **summary.properties,
        "stormsight:mapped_km2": round(facts.mapped_km2, 4),
        **({} if facts.threshold is None else {"stormsight:threshold": facts.threshold}),
    }


def _describe(item: pystac.Item, facts: MapFacts, frequency_band: FrequencyBand) -> None:
    """Add the extensions of projection, radar, version and processing."""
    grid = facts.grid
    width, height = grid.side_m
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    coded = facts.scene.crs.startswith("EPSG:")
    projection.apply(
        code=facts.scene.crs if coded else None,
        wkt2=None if coded else facts.scene.crs,
        shape=[grid.height, grid.width],
        transform=list(grid.transform)[:6],
        bbox=[grid.x_left_m, grid.y_top_m - height, grid.x_left_m + width, grid.y_top_m],
    )
    if facts.scene.modality == "sar":
        sensor = get_sensor(facts.scene.sensor)
        SarExtension.ext(item, add_if_missing=True).apply(
            instrument_mode="unknown",
            frequency_band=frequency_band,
            polarizations=[Polarization(band) for band in sensor.bands],
            product_type="intensity",
            looks_equivalent_number=sensor.looks,
        )
    ItemVersionExtension.ext(item, add_if_missing=True).apply(version=facts.model.version)
    item.stac_extensions.append(PROCESSING)


def _add_assets(item: pystac.Item, folder: Path, objects: str) -> None:
    for name, (key, media_type, roles, title) in _ASSETS.items():
        path = folder / name
        if path.exists():
            words = title.format(objects=objects)
            item.add_asset(key, pystac.Asset(f"./{name}", words, media_type=media_type, roles=list(roles)))
            FileExtension.ext(item.assets[key], add_if_missing=True).apply(
                size=path.stat().st_size, checksum=SHA256_MULTIHASH + sha256_file(path)
            )
