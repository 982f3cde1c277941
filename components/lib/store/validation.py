"""Checks of a training store when it is opened: tables, headers and sizes of arrays; no pixel is read.

A damaged store must not be trained on, and must not end in an error of some library in mid-training. The cost
is one pass over ``index.parquet`` and one header per array: three for an acquisition, whatever its tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.contract.errors import BadDataError, ParameterError
from components.lib.datasets.sensors import get_sensor
from components.lib.files import read_json, require_input
from components.lib.store.checks import check_columns, check_length, read_columns, read_header
from components.lib.store.layout import (
    DTYPES,
    FOOTPRINT_COLUMNS,
    INDEX_COLUMNS,
    INDEX_FILE,
    LAYERS,
    PARTITIONS_FILE,
    ROAD_COLUMNS,
    SPLITS,
    TASK_ATTRIBUTE,
    arrays_folder,
    footprints_path,
    layer_path,
    roads_path,
)
from components.lib.tasks.names import TASK_NAMES, TaskName

_MAY_MISS = frozenset({"height_m"})
"""Columns whose values may be unknown: the height of a building."""


def checked_index(folder: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the index of the store in ``folder`` after checking it and everything it refers to.

    Returns:
        The index, and the partition of each acquisition in it.

    Raises:
        MissingInputError: If there is no store, or an array of it is missing.
        BadDataError: If a table or an array is damaged, or they do not fit together; the file is named.
    """
    path = require_input(folder / INDEX_FILE, made_by="split")
    index = read_columns(path, INDEX_COLUMNS, damaged)
    _check_values(path, index)
    partitions = _read_partitions(folder, index)
    for sensor, tiles in index.groupby("sensor", sort=True):
        _check_sensor(folder, str(sensor), tiles, partitions)
    for partition in sorted(set(partitions.values())):
        for table, columns in (
            (footprints_path(folder, partition), FOOTPRINT_COLUMNS),
            (roads_path(folder, partition), ROAD_COLUMNS),
        ):
            if table.exists():
                check_columns(table, columns, damaged)
    return index, partitions


def task_of(folder: Path, index: pd.DataFrame) -> TaskName:
    """Return the task that a store's index names.

    Raises:
        BadDataError: If there is no such task.
    """
    named = index.attrs.get(TASK_ATTRIBUTE, "buildings")
    for task in TASK_NAMES:
        if named == task:
            return task
    raise damaged(folder / INDEX_FILE, f"unknown task {str(named)[:40]!r}")


def read_footprints(folder: Path, partitions: Iterable[str]) -> pd.DataFrame:
    """Return the footprints of the store in ``folder``, those of some partitions, one table after the other.

    Raises:
        MissingInputError: If they are missing.
        BadDataError: If they are damaged.
    """
    return _read_tables([footprints_path(folder, name) for name in partitions], FOOTPRINT_COLUMNS)


def read_roads(folder: Path, partitions: Iterable[str]) -> pd.DataFrame:
    """Return the centre lines of the store of roads in ``folder``, as :func:`read_footprints` does.

    Raises:
        MissingInputError: If they are missing, as in a store that was prepared before they were kept.
        BadDataError: If they are damaged.
    """
    return _read_tables([roads_path(folder, name) for name in partitions], ROAD_COLUMNS)


def _read_tables(paths: Iterable[Path], columns: Mapping[str, str]) -> pd.DataFrame:
    present = [require_input(path, made_by="prepare") for path in paths]
    return pd.concat(
        [read_columns(path, columns, damaged, may_miss=_MAY_MISS) for path in present], ignore_index=True
    )


def damaged(path: Path, why: str) -> BadDataError:
    """Return the failure for a file of a store."""
    stage = "split" if path.name in {INDEX_FILE, PARTITIONS_FILE} else "prepare"
    return BadDataError(
        f"{path}: {why}", next_step=f"make it again (`dvc repro --force {stage}`): the store was damaged"
    )


def _read_partitions(folder: Path, index: pd.DataFrame) -> dict[str, str]:
    """Read the partition of each acquisition in the index."""
    path = folder / PARTITIONS_FILE
    found = read_json(path, made_by="split")
    if not isinstance(found, dict) or not all(_is_name(part) for item in found.items() for part in item):
        raise damaged(path, "it does not name a partition for each acquisition")
    absent = sorted(set(index["acquisition"]) - set(found))
    if absent:
        raise damaged(path, f"acquisition {absent[0]} is in no partition")
    return {name: found[name] for name in sorted(set(index["acquisition"]))}


def _is_name(value: object) -> bool:
    """Return True for what may be a folder's name."""
    return isinstance(value, str) and bool(value) and "/" not in value and value not in {".", ".."}


def _check_values(path: Path, index: pd.DataFrame) -> None:
    if index.empty:
        raise damaged(path, "it lists no tile")
    unknown = sorted(set(index["split"]) - set(SPLITS))
    if unknown:
        raise damaged(path, f"unknown split {unknown[0]!r}")
    for sensor in sorted(set(index["sensor"])):
        try:
            get_sensor(sensor)
        except ParameterError as error:
            raise damaged(path, error.message) from error
    limits: dict[str, tuple[float, float]] = {
        "row": (0, math.inf),
        "position": (0, math.inf),
        "orientation": (0, 1),
        "height": (1, math.inf),
        "width": (1, math.inf),
        "gsd_m": (float(np.nextafter(0, 1)), math.inf),
        "nodata_share": (0, 1),
        "n_buildings": (0, math.inf),
        "x_left_m": (-math.inf, math.inf),
        "y_top_m": (-math.inf, math.inf),
    }
    for name, (least, most) in limits.items():
        values = index[name].to_numpy(np.float64)
        wrong = np.flatnonzero(~((values >= least) & (values <= most) & np.isfinite(values)))
        if len(wrong):
            tile = index.iloc[int(wrong[0])]
            raise damaged(path, f"column {name!r} of tile {tile['image_id']} is {tile[name]}")


def _check_sensor(folder: Path, sensor: str, tiles: pd.DataFrame, partitions: Mapping[str, str]) -> None:
    rows = tiles["row"].to_numpy(np.int64)
    if len(np.unique(rows)) != len(rows):
        raise damaged(folder / INDEX_FILE, f"two tiles of {sensor} have the same row")
    if rows.max() >= len(rows):
        raise damaged(folder / INDEX_FILE, f"a tile of {sensor} has row {rows.max()}, of {len(rows)} tiles")
    sizes = tiles[["height", "width"]].drop_duplicates()
    if len(sizes) != 1:
        raise damaged(folder / INDEX_FILE, f"tiles of {sensor} differ in size")
    size = (int(sizes["height"].iloc[0]), int(sizes["width"].iloc[0]))
    parts = [
        (arrays_folder(folder, partitions[str(acquisition)], str(acquisition)), own)
        for acquisition, own in tiles.groupby("acquisition", sort=True)
    ]
    for layer in LAYERS:
        paths = [layer_path(arrays, sensor, layer) for arrays, _ in parts]
        promised = layer == "optical" and tiles["has_optical"].any()
        if not promised and not any(path.exists() for path in paths):
            continue  # told when it is asked for: not everybody needs every layer
        headers = [_check_array(path, layer) for path in paths]
        for path, (shape, dtype), (_, own) in zip(paths, headers, parts, strict=True):
            if shape[1:] != (*size, LAYERS[layer]):
                raise damaged(path, f"its tiles are {shape[1:]}, {(*size, LAYERS[layer])} is in the index")
            if dtype != headers[0][1]:
                raise damaged(path, f"it holds {dtype}, {paths[0]} {headers[0][1]}")
            _check_positions(folder, path, own["position"].to_numpy(np.int64), shape[0])


def _check_positions(folder: Path, path: Path, positions: npt.NDArray[np.int64], count: int) -> None:
    """Check that an acquisition's tiles are those of its array, one by one."""
    if len(np.unique(positions)) != len(positions):
        raise damaged(folder / INDEX_FILE, f"two tiles have the same position in {path}")
    if positions.max() >= count or len(positions) != count:
        named = f"position {positions.max()}" if positions.max() >= count else f"{len(positions)} of them"
        raise damaged(path, f"it has {count} tiles, the index names {named}")


def _check_array(path: Path, layer: str) -> tuple[tuple[int, ...], str]:
    """Check header and length of a layer's file; return its shape and number format."""
    header = read_header(path, damaged)
    if header.dtype.name not in DTYPES[layer] or header.in_columns or len(header.shape) != 4:
        raise damaged(
            path,
            f"it holds {header.dtype.name} {header.shape}, not {' or '.join(DTYPES[layer])} of 4 dimensions",
        )
    check_length(path, header, damaged)
    return header.shape, header.dtype.name
