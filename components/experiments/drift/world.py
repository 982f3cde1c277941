"""Small acquisitions of the simulated world, each on ground of its own, as tables of tile statistics.

Pixels are drawn and measured in memory; neither files nor the pipeline's stages take part. All acquisitions
lie in one city, away from its river, so that they differ by ground, flights and speckle alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from components.lib.datasets.base import QUAD_POL, Sensor
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE, SIMULATED_SPACEBORNE
from components.lib.drift.comparison import BLOCK_M
from components.lib.drift.geolocation import OFFSETS, outline_offsets
from components.lib.drift.statistics import band_statistics
from components.lib.geo.rasterise import rasterise_instances
from components.lib.scoring.blocks import block_names
from components.simulation import radiometry
from components.simulation.city import city_of
from components.simulation.flights import Spot, Strip, plan_flight
from components.simulation.imaging import TileImages, columns_of, image_column
from components.simulation.labels import to_pixels
from components.simulation.objects import Material
from components.simulation.parameters import WorldParameters

EAST_M, SOUTH_M = 20_000.0, 4_137.0
"""Distance of all acquisitions from the city's river, and of each area from the one before: no multiple of a
block, so that areas lie anywhere on the grid of blocks."""

AREAS = 3
"""Areas of an acquisition, each flown over by strips of its own: small tiles cover little ground."""

STRIPS = 2
"""Strips of an area of 12 tiles; an acquisition numbers its strips through."""

AROUND_M = 40.0
"""Buildings are looked up this far beyond a tile, so that moved outlines come in at its border."""

OFFSET_EAST, OFFSET_RANGE = (f"sar_{name}" for name in OFFSETS)
"""Columns of the offsets from the outlines of buildings, as validation names them."""

VEGETATION = (Material.GRASS, Material.GARDEN, Material.TREE, Material.GREEN_ROOF)
"""Materials whose backscatter a season changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Size of the simulated acquisitions.

    Attributes:
        seed: Seed of the city.
        tiles: Tiles of each area of an acquisition, 12 at least.
        tile_px: Side of a tile, pixels of 0.5 m.
    """

    seed: int = 20190804
    tiles: int = 12
    tile_px: int = 192


@dataclass(frozen=True, slots=True, kw_only=True)
class Imaging:
    """Departure of the imaging from the reference's; the default is none.

    Attributes:
        looks: Factor on the equivalent number of looks.
        incidence_deg: Degrees added to the incidence angle.
        vegetation_db: Decibels added to the backscatter of grass, gardens, trees and green roofs.
        other_sensor: True for the spaceborne radar's noise, offsets, blur, looks and incidence, on the
            airborne grid and in its four bands.
    """

    looks: float = 1.0
    incidence_deg: float = 0.0
    vegetation_db: float = 0.0
    other_sensor: bool = False

    def sensor(self) -> Sensor:
        """Return the sensor to image with, which takes no optical pictures."""
        base = SIMULATED_AIRBORNE
        if self.other_sensor:
            base = replace(
                SIMULATED_SPACEBORNE, bands=QUAD_POL, quad_pol_source=(0, 1, 2, 3), gsd_m=base.gsd_m
            )
        return replace(
            base,
            looks=base.looks * self.looks,
            incidence_deg=base.incidence_deg + self.incidence_deg,
            paired_optical=False,
        )


@dataclass(frozen=True, slots=True)
class Drawn:
    """One tile as it was drawn: its images, its strip, and the buildings on and around it, EPSG:32631."""

    tile: TileImages
    strip: Strip
    buildings: npt.NDArray[np.object_]


def draw(scale: Scale, number: int, imaging: Imaging) -> list[Drawn]:
    """Draw the tiles of acquisition ``number``; equal arguments give equal pixels."""
    world = WorldParameters(seed=scale.seed, tiles=scale.tiles, tile_px=scale.tile_px)
    sensor, found = imaging.sensor(), []
    with _vegetation(imaging.vegetation_db):
        for area in range(AREAS):
            name = f"drift-{number}-{area}"
            for strip in plan_flight(SIMULATED_AIRBORNE, world, name):
                moved = _moved(strip, EAST_M, -SOUTH_M * (number * AREAS + area + 1))
                moved = replace(moved, index=area * STRIPS + strip.index)
                for spots in columns_of(moved):
                    for tile in image_column(sensor, world, name, moved, spots):
                        found.append(Drawn(tile, moved, _buildings(scale, tile)))  # noqa: PERF401
    city_of.cache_clear()  # ground that nothing else is drawn on
    return found


def table(drawn: list[Drawn], moved_m: Sequence[float] = ()) -> pd.DataFrame:
    """Return the statistics of drawn tiles, one row each, named as validation names them.

    Args:
        drawn: Result of :func:`draw`.
        moved_m: Distances by which the image lies too far east of the buildings' outlines, metres: each adds
            a column (:func:`moved_column`) of what :data:`OFFSET_EAST` would be.
    """
    return pd.DataFrame([_row(one, moved_m) for one in drawn])


def moved_column(distance_m: float) -> str:
    """Return the column of the offsets found in images that lie ``distance_m`` too far east."""
    return f"moved_{distance_m:g}_m"


def _row(drawn: Drawn, moved_m: Sequence[float]) -> dict[str, object]:
    tile, frame = drawn.tile, drawn.tile.frame
    valid = (tile.sar != 0).any(axis=0)
    x, y = frame.x_left + 0.5 * frame.cols * frame.gsd, frame.y_top - 0.5 * frame.rows * frame.gsd
    row: dict[str, object] = {
        "image_id": f"{drawn.strip.name}_tile_{tile.spot.number}",
        "strip": drawn.strip.name,
        "strip_index": drawn.strip.index,
        "location": block_names(np.array([x]), np.array([y]), BLOCK_M)[0],
        "sar_nodata_share": float(1.0 - valid.mean()),
    }
    for band, pixels, more in zip(
        QUAD_POL, tile.sar[:, valid], band_statistics(tile.sar, valid, decibels=True), strict=True
    ):
        row[f"sar_mean_{band}"] = float(pixels.mean(dtype=np.float64))
        row[f"sar_std_{band}"] = float(pixels.std(dtype=np.float64))
        row[f"sar_min_{band}"], row[f"sar_max_{band}"] = float(pixels.min()), float(pixels.max())
        row |= {f"sar_{name}_{band}": value for name, value in more.items()}
    row |= {f"sar_{name}": metres for name, metres in _offsets(drawn, valid, 0.0).items()}
    for distance in moved_m if OFFSET_EAST in row else ():
        row[moved_column(distance)] = _offsets(drawn, valid, distance).get(OFFSETS[0], np.nan)
    return row


def _offsets(drawn: Drawn, valid: npt.NDArray[np.bool_], moved_m: float) -> dict[str, float]:
    """Return the offsets of a tile, as validation measures them, from outlines ``moved_m`` too far west."""
    return outline_offsets(
        drawn.tile.sar.mean(axis=0),
        valid,
        building_mask(drawn, moved_m),
        pixel_m=(drawn.tile.frame.gsd, drawn.tile.frame.gsd),
        orientation=drawn.strip.orientation,
    )


def building_mask(drawn: Drawn, moved_m: float, least_m2: float = 0.0) -> npt.NDArray[np.bool_]:
    """Return the pixels of buildings whose outlines lie ``moved_m`` too far west.

    Args:
        drawn: The tile.
        moved_m: Distance, metres.
        least_m2: Area that a building must exceed, square metres.
    """
    frame = drawn.tile.frame
    outlines = [
        to_pixels(shapely.transform(outline, lambda xy: xy - [moved_m, 0.0]), frame)
        for outline in drawn.buildings
        if outline.area > least_m2
    ]
    mask: npt.NDArray[np.bool_] = rasterise_instances(outlines, frame.rows, frame.cols) > 0
    return mask


def _buildings(scale: Scale, tile: TileImages) -> npt.NDArray[np.object_]:
    west, south, east, north = tile.frame.bounds
    around = (west - AROUND_M, south - AROUND_M, east + AROUND_M, north + AROUND_M)
    polygons: npt.NDArray[np.object_] = city_of(scale.seed).objects_in(around).polygons
    return polygons[shapely.intersects(polygons, shapely.box(*around))]


def _moved(strip: Strip, east: float, north: float) -> Strip:
    """Return a strip over other ground."""
    spots = tuple(Spot(s.number, s.row, s.x_left + east, s.y_top + north) for s in strip.spots)
    # The swath's middle is stated where the strip was planned.
    return replace(strip, spots=spots, y_mid=strip.y_mid + north - strip.slope * east)


@contextmanager
def _vegetation(decibels: float) -> Iterator[None]:
    """Change the backscatter of vegetation while the block draws; the radar reads these tables."""
    usual = radiometry.COPOL, radiometry.CROSSPOL
    factor = np.ones(len(Material), dtype=np.float32)
    factor[list(VEGETATION)] = 10.0 ** (decibels / 10.0)
    try:
        radiometry.COPOL, radiometry.CROSSPOL = usual[0] * factor, usual[1] * factor
        yield
    finally:
        radiometry.COPOL, radiometry.CROSSPOL = usual
