"""One tile: from its files to the arrays and footprints of the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely

from components.contract.errors import BadDataError
from components.lib.datasets.base import Product, Sensor
from components.lib.datasets.scaling import StoredSar, scale_sar
from components.lib.datasets.sensors import dataset_of, get_sensor
from components.lib.foreign import judged
from components.lib.geo.bands import Mask, in_band_order, valid_pixels
from components.lib.geo.footprints import (
    Footprint,
    Labels,
    clip,
    read_geojson,
    to_crs,
    to_pixels,
)
from components.lib.geo.grid import Grid, grid_of
from components.lib.geo.orientation import align
from components.lib.geo.raster import Raster, RasterProfile, read_geotiff
from components.lib.geo.rasterise import rasterise_targets
from components.lib.geo.resample import resample
from components.lib.roads.labels import rasterise_roads, read_road_lines, within_tile
from components.lib.shards.manifest import FileRow
from components.prepare.pairing import Read, TileSource
from components.prepare.parameters import PrepareParameters

UInt8 = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]

_HEIGHT_MATCH_PX = 2.0
"""Centroids of the same building in GeoJSON and CSV differ by the CSV's rounding only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedTile:
    """A tile's contribution to the store.

    Attributes:
        grid: The stored grid; original orientation, as its north-west corner says.
        sar: (H, W, 4) uint8 or float16, aligned, 0 no-data.
        optical: (H, W, 4) uint8, aligned, or None.
        target: (H, W, 3) uint8, aligned, or None for a sensor without labels.
        footprints: Every valid footprint in pixels of the grid, original orientation; none of roads.
        roads: Every centre line in the same pixels, cut at the tile's edges, and whether it is uncertain.
        labelled: Number of them that are large enough to be in ``target``; of roads, the lines drawn.
        nodata_share: Share of SAR pixels without data.
    """

    grid: Grid
    sar: StoredSar
    optical: UInt8 | None
    target: UInt8 | None
    footprints: list[Footprint]
    roads: list[tuple[shapely.LineString, bool]]
    labelled: int
    nodata_share: float


def prepare_tile(source: TileSource, read: Read, parameters: PrepareParameters) -> PreparedTile:
    """Decode, resample, scale, label and align one tile.

    Raises:
        BadDataError: If a file is damaged, or does not fit its sensor or its pair.
    """
    with judged(f"tile {source.image_id}", next_step="run validate, which quarantines such tiles"):
        return _prepare(source, read, parameters)


def _prepare(source: TileSource, read: Read, parameters: PrepareParameters) -> PreparedTile:
    sensor = get_sensor(source.sensor)
    sar_raster = _read(source.sar, sensor.bands, read)
    _check_sar(sar_raster, sensor)
    native = grid_of(sar_raster.profile)
    grid = native.resized()
    values, valid = resample(*_floats(sar_raster), grid.height, grid.width)
    scaled = scale_sar(values, valid, sensor.scale_limits, parameters.sar_dtype)
    optical = None
    if source.optical is not None:
        product = dataset_of(source.sensor).optical
        optical_raster = _read(source.optical, product.bands, read)
        optical = align(_optical(optical_raster, product, grid), source.orientation)
    draw = _buildings if parameters.task == "buildings" else _roads
    labels = draw(source, read, sar_raster.profile, grid, parameters)
    return PreparedTile(
        grid=grid,
        sar=align(scaled[..., list(sensor.quad_pol_source)], source.orientation),
        optical=optical,
        target=align(labels.masks, source.orientation) if source.labelled else None,
        footprints=labels.footprints,
        roads=labels.roads,
        labelled=labels.labelled,
        nodata_share=1.0 - float(valid.mean()),
    )


@dataclass(frozen=True, slots=True)
class _TileLabels:
    """Masks (H, W, 3) of a tile as delivered, its footprints or roads, and the number of objects drawn."""

    masks: UInt8
    footprints: list[Footprint]
    labelled: int
    roads: list[tuple[shapely.LineString, bool]] = field(default_factory=list)


def _buildings(
    source: TileSource, read: Read, profile: RasterProfile, grid: Grid, parameters: PrepareParameters
) -> _TileLabels:
    footprints, large = _footprints(source, read, profile, grid, parameters.min_area_m2)
    if not source.labelled:
        return _TileLabels(np.empty((0, 0, 0), dtype=np.uint8), footprints, len(large))
    masks = rasterise_targets(
        large, grid.height, grid.width, edge_px=parameters.edge_px, contact_px=parameters.contact_px
    )
    return _TileLabels(masks, footprints, len(large))


def _roads(
    source: TileSource, read: Read, profile: RasterProfile, grid: Grid, parameters: PrepareParameters
) -> _TileLabels:
    declared = dataset_of(source.sensor).roads
    if source.labels is None or declared is None:
        return _TileLabels(np.empty((0, 0, 0), dtype=np.uint8), [], 0)
    name = source.labels.name
    found = read_road_lines(read(source.labels), name, str(profile.crs), declared)
    size = grid.height, grid.width
    masks = rasterise_roads(
        found.lines,
        grid.transform,
        size,
        half_width_m=parameters.roads.half_width_m,
        own_widths=parameters.roads.own_widths,
    )
    return _TileLabels(masks, [], len(found.lines), within_tile(found.lines, grid.transform, size))


def _read(row: FileRow, bands: Sequence[str], read: Read) -> Raster:
    return in_band_order(read_geotiff(read(row), row.name), bands)


def _check_sar(raster: Raster, sensor: Sensor) -> None:
    profile = raster.profile
    if profile.count != len(sensor.bands):
        raise _unfit(profile, f"has {profile.count} bands, {sensor.name} has {len(sensor.bands)}")
    if profile.crs != sensor.crs:
        raise _unfit(profile, f"is in {profile.crs}, {sensor.name} delivers {sensor.crs}")


def _floats(raster: Raster) -> tuple[Float, Mask]:
    """Return the pixels as float32, (C, H, W), and where they are data, (H, W)."""
    with np.errstate(over="ignore"):  # a value beyond float32 is declared no-data, or refused by validation
        return raster.array.astype(np.float32), valid_pixels(raster)


def _optical(raster: Raster, product: Product, grid: Grid) -> UInt8:
    """Return the bands that imitate HH, HV, VH, VV on ``grid``, (H, W, 4) uint8."""
    profile = raster.profile
    if profile.count != len(product.bands) or profile.dtype != product.dtype:
        raise _unfit(
            profile,
            f"has {profile.count} bands of {profile.dtype}, {product.name} has {len(product.bands)} of "
            f"{product.dtype}",
        )
    own = grid_of(profile)
    differences = (
        own.x_left_m - grid.x_left_m,
        own.y_top_m - grid.y_top_m,
        own.side_m[0] - grid.side_m[0],
        own.side_m[1] - grid.side_m[1],
    )
    if max(map(abs, differences)) > max(own.gsd_m, grid.gsd_m):
        raise _unfit(profile, "does not cover the ground of its SAR tile")
    rgb = np.where(valid_pixels(raster), raster.array, 0)
    if (own.height, own.width) != (grid.height, grid.width):
        values, _ = resample(*_floats(raster), grid.height, grid.width)
        rgb = np.rint(values).astype(np.uint8)
    return np.ascontiguousarray(np.moveaxis(rgb[list(product.quad_pol_source)], 0, -1))


def _footprints(
    source: TileSource, read: Read, profile: RasterProfile, grid: Grid, min_area_m2: float
) -> tuple[list[Footprint], list[shapely.Polygon]]:
    """Return all footprints in pixels of ``grid``, and those of more than ``min_area_m2``."""
    factor = grid_of(profile).gsd_m / grid.gsd_m
    summary = _scaled(source.summary, factor)
    if source.labels is None:
        found = [(f, f.polygon.area * grid.gsd_m**2) for f in summary]
    else:
        name = source.labels.name
        labels = to_crs(read_geojson(read(source.labels), name), str(profile.crs), name)
        # Areas are taken from the map coordinates: pixel coordinates would round 20 m2 to either side.
        found = [
            (Footprint(to_pixels(f.polygon, grid.transform), f.height_m), f.polygon.area)
            for f in labels.footprints
        ]
    footprints: list[Footprint] = []
    large: list[shapely.Polygon] = []
    for footprint, area_m2 in found:
        whole = footprint.polygon.area
        for part in clip(footprint.polygon, grid.height, grid.width):
            footprints.append(Footprint(part, footprint.height_m))
            part_m2 = area_m2 if part is footprint.polygon else area_m2 * part.area / whole
            if part_m2 > min_area_m2:
                large.append(part)
    return _with_heights(footprints, summary), large


def _scaled(labels: Labels | None, factor: float) -> list[Footprint]:
    """Convert the footprints of the summary CSV from pixels of the SAR tile to pixels of the stored grid."""
    footprints = () if labels is None else labels.footprints
    return [Footprint(shapely.transform(f.polygon, lambda xy: xy * factor), f.height_m) for f in footprints]


def _with_heights(footprints: list[Footprint], summary: list[Footprint]) -> list[Footprint]:
    """Fill unknown heights from the summary's footprint at the same place; ids are not shared by the two."""
    unknown = [i for i, f in enumerate(footprints) if math.isnan(f.height_m)]
    if not unknown or not summary:
        return footprints
    tree = shapely.STRtree(shapely.centroid([f.polygon for f in summary]))
    centres = shapely.centroid([footprints[i].polygon for i in unknown])
    ours, theirs = tree.query_nearest(centres, max_distance=_HEIGHT_MATCH_PX, all_matches=False)
    filled = list(footprints)
    for i, j in zip(ours, theirs, strict=True):
        filled[unknown[i]] = Footprint(footprints[unknown[i]].polygon, summary[j].height_m)
    return filled


def _unfit(profile: RasterProfile, what: str) -> BadDataError:
    return BadDataError(f"{profile.name} {what}", next_step="run validate, which quarantines such tiles")
