"""File layout of a training store: names, shapes, number formats, and writing.

::

    index.parquet                                            all tiles, their place in the split, and the task
    partitions.json                                          partition of each acquisition
    tables/<partition>/footprints.parquet                    buildings of a partition's tiles
    tables/<partition>/roads.parquet                         their centre lines, in a store of roads alone
    layers/<partition>/<acquisition>/<sensor>/<layer>.npy    pixels of an acquisition's tiles, (N, H, W, C)

A sensor's rows count its tiles in the order of their image ids, whatever the partitions: row i is the tile
whose ``row`` in the index is i, and its pixels are at ``position`` in its acquisition's array. So what an
acquisition holds is written once, and never again for those that come after it.

All layers are uint8; ``sar`` may be float16 on the same scale: 0 is no data, 1 to 255 are data, which float16
does not round to whole numbers. Channels come last, so that a crop permuted for torch is channels-last
already. Layers are stored orientation-aligned; ``footprints.parquet`` and ``roads.parquet`` keep each tile's
original orientation.

The task (``buildings`` or ``roads``) decides what the bits of ``target`` are. ``index.parquet`` has it as the
attribute ``task`` of the table; a table without it is of buildings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.contract.errors import ParameterError
from components.lib.files import atomic_directory, atomic_file, write_json
from components.lib.tasks.labels import pack_masks
from components.lib.tasks.names import TaskName

BANDS = MappingProxyType(
    {"sar": ("HH", "HV", "VH", "VV"), "optical": ("B", "R", "R", "G"), "target": ("masks",)}
)
"""Names of the channels; ``masks`` has the label layers as bits of one byte (:func:`pack_masks`)."""

LAYERS = MappingProxyType({layer: len(bands) for layer, bands in BANDS.items()})
"""Number of channels of each layer."""

DTYPES = MappingProxyType({"sar": ("uint8", "float16"), "optical": ("uint8",), "target": ("uint8",)})
"""Number formats that a layer may have."""

Array = np.memmap[tuple[int, ...], np.dtype[Any]]
"""A mapped layer of one acquisition: (N, H, W, C), one of its ``DTYPES``."""

SPLITS = ("train", "buffer", "selection", "test")

TASK_ATTRIBUTE = "task"
"""Attribute of the index that names the task, and of a partition's table of tiles."""

INDEX_FILE = "index.parquet"
PARTITIONS_FILE = "partitions.json"
FOOTPRINTS_FILE = "footprints.parquet"
ROADS_FILE = "roads.parquet"
TABLES, LAYERS_FOLDER = "tables", "layers"

INDEX_COLUMNS = MappingProxyType(
    {
        "acquisition": "str",
        "sensor": "str",
        "image_id": "str",
        "strip": "str",
        "tile": "int32",
        "orientation": "int8",  # 1: stored turned by 180 degrees
        "row": "int32",  # among the sensor's tiles, by image id
        "position": "int32",  # into the acquisition's arrays
        "x_left_m": "float64",
        "y_top_m": "float64",
        "gsd_m": "float64",  # of the stored grid
        "height": "int32",
        "width": "int32",
        "split": "str",  # one of SPLITS
        "kang": "bool",  # in the published validation list: the easternmost group
        "clean": "bool",  # test, and east of all train ground
        "nodata_share": "float64",  # of the SAR tile
        "n_buildings": "int32",  # footprints that are labelled; road lines in a store of roads
        "has_optical": "bool",
    }
)
"""Columns of ``index.parquet`` and their types."""

FOOTPRINT_COLUMNS = MappingProxyType(
    {
        "acquisition": "str",
        "sensor": "str",
        "image_id": "str",
        "building_id": "int32",
        "wkt_px": "str",  # original orientation, pixels of the stored grid
        "area_px": "float64",
        "height_m": "float64",
    }
)
"""Columns of ``footprints.parquet``: every valid footprint, also those too small to be labelled."""

ROAD_COLUMNS = MappingProxyType(
    {
        "acquisition": "str",
        "sensor": "str",
        "image_id": "str",
        "road_id": "int32",
        "wkt_px": "str",  # original orientation, pixels of the stored grid, cut at the tile's edges
        "uncertain": "bool",  # nobody knows whether the road is to be seen: in no score
    }
)
"""Columns of ``roads.parquet``: every centre line within a tile."""


def arrays_folder(store: Path, partition: str, acquisition: str) -> Path:
    """Return the folder of an acquisition's arrays."""
    return store / LAYERS_FOLDER / partition / acquisition


def footprints_path(store: Path, partition: str) -> Path:
    """Return the table of a partition's footprints."""
    return store / TABLES / partition / FOOTPRINTS_FILE


def roads_path(store: Path, partition: str) -> Path:
    """Return the table of a partition's centre lines."""
    return store / TABLES / partition / ROADS_FILE


def layer_path(folder: Path, sensor: str, layer: str) -> Path:
    """Return the file of one layer below an acquisition's :func:`arrays_folder`.

    Raises:
        ParameterError: If there is no such layer.
    """
    if layer not in LAYERS:
        raise ParameterError(f"unknown layer {layer!r}", next_step=f"use one of {', '.join(LAYERS)}")
    return folder / sensor / f"{layer}.npy"


def create_layer(
    folder: Path,
    sensor: str,
    layer: str,
    tiles: int,
    size: tuple[int, int],
    *,
    dtype: npt.DTypeLike = np.uint8,
) -> Array:
    """Create a zero-filled (tiles, *size, C) layer on disk, mapped for writing.

    The file is sparse until tiles are written, and memory holds only the pages in use.

    Raises:
        ParameterError: If there is no such layer, or it cannot have that number format.
    """
    path = layer_path(folder, sensor, layer)
    check_dtype(sensor, layer, np.dtype(dtype))
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (tiles, *size, LAYERS[layer])
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def check_dtype(sensor: str, layer: str, dtype: np.dtype[Any]) -> None:
    """Refuse a number format that the layer cannot have, with a ParameterError."""
    if dtype.name not in DTYPES[layer]:
        raise ParameterError(
            f"layer {layer!r} of {sensor} is {dtype.name}, it can be {' or '.join(DTYPES[layer])}",
            next_step="prepare its pixels again (`dvc repro --force prepare`)",
        )


def with_task(table: pd.DataFrame, task: TaskName) -> pd.DataFrame:
    """Return a table that names its task when it is written; of buildings it has the bytes without one."""
    marked = table.copy(deep=False)
    marked.attrs = {} if task == "buildings" else {TASK_ATTRIBUTE: task}
    return marked


def write_index(
    store: Path, index: pd.DataFrame, partitions: Mapping[str, str], task: TaskName = "buildings"
) -> None:
    """Write the index with the declared columns and types, and where the arrays of its tiles are.

    Args:
        store: Folder of the store.
        index: Columns ``INDEX_COLUMNS``.
        partitions: Partition by acquisition.
        task: Task of the labels.
    """
    table = with_task(index[list(INDEX_COLUMNS)].astype(dict(INDEX_COLUMNS)), task)
    with atomic_file(store / INDEX_FILE) as path:
        table.to_parquet(path, index=False)
    write_json(store / PARTITIONS_FILE, dict(sorted(partitions.items())))


def write_footprints(path: Path, footprints: pd.DataFrame) -> None:
    """Write a partition's footprints with the declared columns and types."""
    path.parent.mkdir(parents=True, exist_ok=True)
    footprints = footprints.reindex(columns=list(FOOTPRINT_COLUMNS)).astype(dict(FOOTPRINT_COLUMNS))
    footprints.to_parquet(path, index=False)


def write_roads(path: Path, roads: pd.DataFrame) -> None:
    """Write a partition's centre lines with the declared columns and types."""
    path.parent.mkdir(parents=True, exist_ok=True)
    roads.reindex(columns=list(ROAD_COLUMNS)).astype(dict(ROAD_COLUMNS)).to_parquet(path, index=False)


def write_store(
    folder: Path,
    index: pd.DataFrame,
    footprints: pd.DataFrame,
    layers: Mapping[tuple[str, str], npt.NDArray[Any]],
    *,
    partition: str = "p00",
    task: TaskName = "buildings",
    roads: pd.DataFrame | None = None,
) -> None:
    """Write a store of one partition that fits in memory, whole or not at all.

    Args:
        folder: Where the store goes.
        index: Columns ``INDEX_COLUMNS`` but ``position``.
        footprints: Columns ``FOOTPRINT_COLUMNS``; may be empty.
        layers: (sensor, layer) to (N, H, W, C) by row, one of the layer's ``DTYPES``; ``target``
            packed, or the task's label layers (N, H, W, 3), which are packed here.
        partition: Name of the partition.
        task: Task of the labels.
        roads: Columns ``ROAD_COLUMNS``; may be empty. None writes no such table.
    """
    index = index.assign(position=index.groupby(["acquisition", "sensor"]).cumcount())
    with atomic_directory(folder) as temporary:
        for (sensor, layer), given in layers.items():
            array = pack_masks(given) if given.shape[-1] != LAYERS[layer] else given
            for acquisition, tiles in index[index["sensor"] == sensor].groupby("acquisition"):
                own = array[tiles["row"].to_numpy()]
                arrays = arrays_folder(temporary, partition, str(acquisition))
                mapped = create_layer(
                    arrays, sensor, layer, len(own), (own.shape[1], own.shape[2]), dtype=own.dtype
                )
                mapped[:] = own
                mapped.flush()
        write_footprints(footprints_path(temporary, partition), footprints)
        if roads is not None:
            write_roads(roads_path(temporary, partition), roads)
        write_index(temporary, index, dict.fromkeys(index["acquisition"], partition), task)
