"""Writing of tiles: every process puts its tiles straight into the mapped layers of their acquisitions."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from tqdm import tqdm

from components.contract.errors import BadDataError
from components.contract.processes import exit_with_parent
from components.lib.disk import require_free_space
from components.lib.geo.grid import grid_of
from components.lib.geo.raster import profile_geotiff
from components.lib.shards.reader import ShardReader
from components.lib.store.layout import LAYERS, Array, create_layer, layer_path
from components.lib.tasks.labels import pack_masks
from components.prepare.pairing import Read, TileSource
from components.prepare.parameters import PrepareParameters
from components.prepare.tiles import PreparedTile, prepare_tile

_LOG = logging.getLogger(__name__)

_TILES_PER_PROCESS = 16
"""Fewer tiles than this are not worth a process's start of about a second."""

_MAX_PROCESSES = 8
"""Each holds one tile, about 0.3 GB at full size; the disk is the limit beyond."""


Key = tuple[str, str]
"""Acquisition and sensor of an array."""


@dataclass(frozen=True, slots=True)
class ArrayLayout:
    """Layers of one acquisition's tiles of one sensor: how many, their size in pixels, and which layers."""

    tiles: int
    size: tuple[int, int]
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TileJob:
    """One tile and its place in its acquisition's arrays."""

    source: TileSource
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTile:
    """Facts about a written tile for the tables; small enough to travel between processes."""

    job: TileJob
    x_left_m: float
    y_top_m: float
    gsd_m: float
    height: int
    width: int
    nodata_share: float
    n_buildings: int
    footprints: tuple[tuple[str, float, float], ...]
    """(WKT in pixels, area in pixels, height in metres)."""
    roads: tuple[tuple[str, bool], ...]
    """(WKT in pixels, uncertain or not)."""


def plan(tiles: Sequence[TileSource], read: Read) -> tuple[list[TileJob], dict[Key, ArrayLayout]]:
    """Assign places to the tiles, in their order, and list their layers.

    It reads the header of each sensor's first SAR tile: all others must have its size.
    """
    groups: dict[Key, list[TileSource]] = {}
    for tile in tiles:
        groups.setdefault((tile.acquisition, tile.sensor), []).append(tile)
    jobs: list[TileJob] = []
    layouts: dict[Key, ArrayLayout] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for key, own in sorted(groups.items()):
        first = own[0]
        if first.sensor not in sizes:
            grid = grid_of(profile_geotiff(read(first.sar), first.sar.name)).resized()
            sizes[first.sensor] = (grid.height, grid.width)
        layers = ["sar"]
        layers += ["optical"] if first.optical is not None else []
        layers += ["target"] if first.labelled else []
        layouts[key] = ArrayLayout(len(own), sizes[first.sensor], tuple(layers))
        jobs += [TileJob(source, position) for position, source in enumerate(own)]
    return jobs, layouts


def write_tiles(
    raw: Path,
    folder: Path,
    jobs: Sequence[TileJob],
    layouts: dict[Key, ArrayLayout],
    parameters: PrepareParameters,
    *,
    processes: int | None = None,
) -> list[WrittenTile]:
    """Create the layers and fill them.

    Args:
        raw: Folder of the shards.
        folder: Folder of the acquisitions' arrays.
        jobs: Tiles and places.
        layouts: Layers by acquisition and sensor.
        parameters: Section ``prepare``.
        processes: Default: the CPUs this process may use, fewer for few tiles. The result is the same.

    Returns:
        One entry per job, in order.

    Raises:
        ResourceError: If the disk has no room for the layers.
        BadDataError: If a tile is damaged or of another size than its sensor's first.
    """
    dtypes = {layer: np.dtype(parameters.sar_dtype if layer == "sar" else "uint8") for layer in LAYERS}
    require_free_space(folder, _size(layouts, dtypes))
    for (acquisition, sensor), layout in layouts.items():
        arrays = folder / acquisition
        for layer in layout.layers:
            create_layer(arrays, sensor, layer, layout.tiles, layout.size, dtype=dtypes[layer]).flush()
            _reserve(layer_path(arrays, sensor, layer))
    bar = tqdm(_results(raw, folder, jobs, parameters, processes), total=len(jobs), unit="tile", disable=None)
    return list(bar)


def _reserve(path: Path) -> None:
    """Give a sparse file its blocks: a mapped page that finds no room later would kill the process.

    Raises:
        OSError: If the disk has no room.
    """
    with path.open("r+b") as layer:
        try:
            os.posix_fallocate(layer.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):  # file systems that cannot
                raise


def _size(layouts: dict[Key, ArrayLayout], dtypes: Mapping[str, np.dtype[Any]]) -> int:
    return sum(
        layout.tiles * layout.size[0] * layout.size[1] * LAYERS[layer] * dtypes[layer].itemsize
        for layout in layouts.values()
        for layer in layout.layers
    )


def _results(
    raw: Path, folder: Path, jobs: Sequence[TileJob], parameters: PrepareParameters, processes: int | None
) -> Iterator[WrittenTile]:
    count = processes or min(
        len(os.sched_getaffinity(0)), _MAX_PROCESSES, max(1, len(jobs) // _TILES_PER_PROCESS)
    )
    if count == 1:
        with ShardReader(raw) as reader:
            worker = _Worker(reader.read, folder, parameters)
            yield from map(worker.write, jobs)
        return
    _LOG.info("writing %d tiles with %d processes", len(jobs), count)
    with ProcessPoolExecutor(
        count, multiprocessing.get_context("spawn"), _start_worker, (raw, folder, parameters)
    ) as pool:
        try:
            yield from pool.map(_work, jobs, chunksize=4)
        finally:
            pool.shutdown(cancel_futures=True)


class _Worker:
    """Writes tiles into the layers of one partition."""

    def __init__(self, read: Read, folder: Path, parameters: PrepareParameters) -> None:
        self._read = read
        self._folder = folder
        self._parameters = parameters
        self._layers: dict[Path, Array] = {}

    def write(self, job: TileJob) -> WrittenTile:
        tile = prepare_tile(job.source, self._read, self._parameters)
        packed = None if tile.target is None else pack_masks(tile.target)
        for layer, array in (("sar", tile.sar), ("optical", tile.optical), ("target", packed)):
            if array is None:
                continue
            arrays = self._folder / job.source.acquisition
            mapped = self._mapped(layer_path(arrays, job.source.sensor, layer))
            if array.shape != mapped.shape[1:]:
                raise BadDataError(
                    f"{job.source.sar.name} has {array.shape[0]} x {array.shape[1]} pixels on the grid, "
                    f"the other {job.source.sensor} tiles {mapped.shape[1]} x {mapped.shape[2]}",
                    next_step="run validate, which quarantines such tiles",
                )
            mapped[job.position] = array
        return _written(job, tile)

    def _mapped(self, path: Path) -> Array:
        if path not in self._layers:
            self._layers[path] = np.lib.format.open_memmap(path, mode="r+")
        return self._layers[path]


def _written(job: TileJob, tile: PreparedTile) -> WrittenTile:
    return WrittenTile(
        job=job,
        x_left_m=tile.grid.x_left_m,
        y_top_m=tile.grid.y_top_m,
        gsd_m=tile.grid.gsd_m,
        height=tile.grid.height,
        width=tile.grid.width,
        nodata_share=tile.nodata_share,
        n_buildings=tile.labelled,
        footprints=tuple(
            (shapely.to_wkt(f.polygon, rounding_precision=-1), f.polygon.area, f.height_m)
            for f in tile.footprints
        ),
        roads=tuple(
            (shapely.to_wkt(line, rounding_precision=-1), uncertain) for line, uncertain in tile.roads
        ),
    )


_WORKER: list[_Worker] = []
"""This process's worker, made once by the pool's initialiser."""


def _start_worker(raw: Path, folder: Path, parameters: PrepareParameters) -> None:
    exit_with_parent()  # the folder is published by the parent: nothing needs tidying
    _WORKER[:] = [_Worker(ShardReader(raw).read, folder, parameters)]


def _work(job: TileJob) -> WrittenTile:
    return _WORKER[0].write(job)
