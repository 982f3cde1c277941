"""STAC item of the changes between two maps."""

from __future__ import annotations

import os
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pystac
import shapely
import shapely.geometry

from components.contract.hashing import sha256_file, sha256_files
from components.lib.catalogue.documents import SHA256_MULTIHASH, VERSION, Document
from components.lib.change.footprints.changes import BuildingChanges
from components.lib.change.footprints.rules import FootprintRules
from components.lib.sources import ROOT, closure, source_of
from components.predict.changes import page as pages
from components.predict.changes import table as names
from components.predict.changes.earlier import MapPair
from components.predict.changes.opening import OpenedMap
from components.predict.mapping import IMAGE
from components.predict.outputs.item import PROCESSING

FILE: Final = "https://stac-extensions.github.io/file/v2.1.0/schema.json"

_ASSETS: Final[dict[str, tuple[str, str, str, str]]] = {
    names.PARQUET: ("changes", pystac.MediaType.VND_APACHE_PARQUET, "data", "Building changes (GeoParquet)"),
    names.GEOPACKAGE: ("changes-gpkg", pystac.MediaType.GEOPACKAGE, "data", "Building changes (GeoPackage)"),
    names.TILES: ("changes-tiles", pystac.MediaType.VND_PMTILES, "visual", "Building changes (vector tiles)"),
    "before.pmtiles": ("before-tiles", pystac.MediaType.VND_PMTILES, "visual", "Footprints before"),
    "after.pmtiles": ("after-tiles", pystac.MediaType.VND_PMTILES, "visual", "Footprints after"),
    pages.PAGE: ("page", pystac.MediaType.HTML, "overview", "Web page of the changes"),
}
"""Key, media type, role and title of each file, by name."""


def changes_item(
    folder: Path,
    pair: MapPair,
    before: OpenedMap,
    after: OpenedMap,
    found: BuildingChanges,
    *,
    rules: FootprintRules,
) -> dict[str, Any]:
    """Return the STAC item of changes, with the files that ``folder`` holds as assets.

    It states no time of its own making, so that the same comparison gives the same item.

    Args:
        folder: Folder of the files.
        pair: Items of both maps and their common ground.
        before: Earlier map.
        after: Later map.
        found: Changes.
        rules: Thresholds of the comparison.
    """
    outline = shapely.transform(shapely.orient_polygons(pair.shared), lambda xy: np.round(xy, 7))
    return {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [FILE, PROCESSING],
        "id": f"{after.footprints.id}-changes",
        "geometry": shapely.geometry.mapping(outline),
        "bbox": [round(float(value), 7) for value in outline.bounds],
        "properties": _properties(pair, before, after, found, rules),
        "assets": _assets(folder),
        "links": [],
    }


def _properties(
    pair: MapPair, before: OpenedMap, after: OpenedMap, found: BuildingChanges, rules: FootprintRules
) -> dict[str, Any]:
    first, second = (item["properties"] for item in (pair.before, pair.after))
    simulated = before.simulated or after.simulated
    same = before.same_model(after)
    made_by = f"both by {after.model}" if same else f"by two models, {before.model} and {after.model}"
    note = " Simulated: a map is of the rehearsal world." if simulated else ""
    return {
        "title": f"Building changes of {after.title}",
        "description": f"Difference of two maps of buildings, {made_by}, made without any learning.{note}",
        "datetime": second["datetime"],
        "start_datetime": first["datetime"],
        "end_datetime": second["datetime"],
        "processing:lineage": f"Difference of the maps {before.footprints.id} and {after.footprints.id}",
        "processing:software": {"stormsight": _code()},
        "stormsight:simulated": simulated,
        "stormsight:same_model": same,
        "stormsight:changes": {**found.counts(), "unobserved": found.unobserved},
        "stormsight:rules": asdict(rules),
        "stormsight:image": os.environ.get(IMAGE, ""),
        **{
            f"stormsight:{side}": {
                "map": opened.footprints.id,
                "acquisition": opened.title,
                "datetime": properties["datetime"],
                "model": properties["stormsight:model"],
            }
            for side, opened, properties in (("before", before, first), ("after", after, second))
        },
    }


def _assets(folder: Path) -> Document:
    return {
        key: {
            "href": f"./{name}",
            "title": title,
            "type": str(media_type),
            "roles": [role],
            "file:size": path.stat().st_size,
            "file:checksum": SHA256_MULTIHASH + sha256_file(path),
        }
        for name, (key, media_type, role, title) in _ASSETS.items()
        if (path := folder / name).exists()
    }


@cache
def _code() -> str:
    """Return the SHA-256 of the code that changes depend on."""
    modules = closure("components.lib.change.footprints.changes", "components.predict.changes.table")
    found = [path for module in sorted(modules) if (path := source_of(module)) is not None]
    return sha256_files(found, ROOT)
