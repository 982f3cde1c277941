"""An acquisition as the files of a release of SpaceNet 6, drawn in parallel, yielded in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from components.lib.datasets.base import Product, Sensor
from components.lib.datasets.rehearsal import DRAWN, REHEARSAL, ROADS
from components.simulation.flights import Spot, Strip, plan_flight, tile_count
from components.simulation.frame import Frame
from components.simulation.imaging import TileImages, columns_of, image_column
from components.simulation.labels import CSV_HEADER, csv_rows, geojson, road_geojson
from components.simulation.parameters import WorldParameters
from components.simulation.radiometry import radiometry_of
from components.simulation.workers import drawn_in_order, worth_workers

SUMMARY_FILES = (REHEARSAL.summaries.orientations, REHEARSAL.summaries.buildings)


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One file of a release.

    Attributes:
        path: Path inside the release: root, product folder, file name.
        content: Its bytes.
    """

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Column:
    files: list[ReleaseFile]
    rows: str


def products_of(sensor: Sensor, world: WorldParameters) -> tuple[Product, ...]:
    """Return the products that the rehearsal world makes for a sensor, in the order of a tile's files."""
    unpaired = (REHEARSAL.sar, REHEARSAL.labels)
    found = tuple(product for product in DRAWN if sensor.paired_optical or product in unpaired)
    return (*found, ROADS) if world.roads else found


def count_files(sensor: Sensor, world: WorldParameters, acquisition_id: str) -> int:
    """Return the number of files that :func:`release_files` yields."""
    return tile_count(sensor, world) * len(products_of(sensor, world)) + len(SUMMARY_FILES)


def release_files(
    sensor: Sensor, world: WorldParameters, acquisition_id: str, workers: int | None = None
) -> Iterator[ReleaseFile]:
    """Draw an acquisition file by file: strip by strip, tile by tile, the two summary files last.

    Content depends on the arguments only, never on ``workers``: two runs give the same bytes.

    Args:
        sensor: A simulated sensor.
        world: Seed and size.
        acquisition_id: Id in the catalogue; it draws the flights, the speckle and the traffic, not the city.
        workers: Processes to draw with; by default one per usable core, none besides this one if that is one.

    Raises:
        ParameterError: If the world has no such radar.
        ResourceError: If a process was killed, most likely for memory.
    """
    radiometry_of(sensor.name)
    strips = plan_flight(sensor, world, acquisition_id)
    columns = [
        (sensor, world, acquisition_id, strip, spots) for strip in strips for spots in columns_of(strip)
    ]
    rows = [CSV_HEADER + "\n"]
    workers = workers or worth_workers(tile_count(sensor, world) * world.tile_px**2)
    for column in drawn_in_order(_draw_column, columns, workers):
        yield from column.files
        rows.append(column.rows)
    orientations = "".join(f"{strip.name} {strip.orientation}\n" for strip in strips)
    for name, text in zip(SUMMARY_FILES, (orientations, "".join(rows)), strict=True):
        yield ReleaseFile(f"{REHEARSAL.root}{REHEARSAL.summaries.folder}/{name}", text.encode())


def _draw_column(
    sensor: Sensor, world: WorldParameters, acquisition: str, strip: Strip, spots: tuple[Spot, ...]
) -> _Column:
    files: list[ReleaseFile] = []
    rows = []
    for tile in image_column(sensor, world, acquisition, strip, spots):
        files += _tile_files(sensor, world, strip, tile)
        image_id = REHEARSAL.image_id(strip.name, tile.spot.number)
        rows.append(csv_rows(image_id, tile.footprints, tile.frame))
    return _Column(files, "".join(rows))


def _tile_files(
    sensor: Sensor, world: WorldParameters, strip: Strip, tile: TileImages
) -> Iterator[ReleaseFile]:
    for product in products_of(sensor, world):
        name = REHEARSAL.file_name(product.name, strip.name, tile.spot.number)
        path = f"{REHEARSAL.root}{product.folder}/{name}"
        if product == REHEARSAL.labels:
            yield ReleaseFile(path, geojson(tile.footprints))
        elif product == ROADS:
            yield ReleaseFile(path, road_geojson(tile.streets or [], tile.frame))
        elif product == REHEARSAL.sar:
            yield ReleaseFile(path, _to_geotiff(tile.sar, tile.frame, sensor.crs))
        elif tile.optical is not None:
            bands = tile.optical[: len(product.bands)]
            yield ReleaseFile(path, _to_geotiff(bands, tile.frame, sensor.crs))


def _to_geotiff(array: npt.NDArray[np.generic], frame: Frame, crs: str) -> bytes:
    """Encode ``array`` (bands, rows, cols) as the release does: uncompressed, blocks of 9 rows, no-data 0."""
    bands, rows, cols = array.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=cols,
            height=rows,
            count=bands,
            dtype=array.dtype,
            crs=crs,
            transform=from_origin(frame.x_left, frame.y_top, frame.gsd, frame.gsd),
            nodata=0,
            interleave="band",
            blockysize=9,
        ) as dataset:
            dataset.write(array)
        return bytes(memory.getbuffer())
