"""Checks of a training store when it is opened: tables, headers and sizes of arrays; no pixel is read.

A damaged store must not be trained on, and must not end in an error of some library in mid-training. The cost
is one pass over ``index.parquet`` and one header per array: three for an acquisition, whatever its tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.contract.errors import BadDataError, ParameterError, first_line
from components.lib.datasets.sensors import get_sensor
from components.lib.files import read_json, require_input
from components.lib.store.layout import (
    DTYPES,
    FOOTPRINT_COLUMNS,
    INDEX_COLUMNS,
    INDEX_FILE,
    LAYERS,
    PARTITIONS_FILE,
    SPLITS,
    arrays_folder,
    footprints_path,
    layer_path,
)

_HEADERS = MappingProxyType(
    {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
)

_HEADER_ERRORS = (ValueError, EOFError, SyntaxError, TokenError, RecursionError, MemoryError)
"""Errors of NumPy's reader of headers, which are Python literals: its parser's and its tokenizer's, too."""


def checked_index(folder: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the index of the store in ``folder`` after checking it and everything it refers to.

    Returns:
        The index, and the partition of each acquisition in it.

    Raises:
        MissingInputError: If there is no store, or an array of it is missing.
        BadDataError: If a table or an array is damaged, or they do not fit together; the file is named.
    """
    path = require_input(folder / INDEX_FILE, made_by="split")
    index = _read_table(path, INDEX_COLUMNS)
    _check_values(path, index)
    partitions = _read_partitions(folder, index)
    for sensor, tiles in index.groupby("sensor", sort=True):
        _check_sensor(folder, str(sensor), tiles, partitions)
    for partition in sorted(set(partitions.values())):
        footprints = footprints_path(folder, partition)
        if footprints.exists():
            _check_columns(footprints, FOOTPRINT_COLUMNS)
    return index, partitions


def read_footprints(folder: Path, partitions: Iterable[str]) -> pd.DataFrame:
    """Return the footprints of the store in ``folder``, those of some partitions, one table after the other.

    Raises:
        MissingInputError: If they are missing.
        BadDataError: If they are damaged.
    """
    paths = [require_input(footprints_path(folder, name), made_by="prepare") for name in partitions]
    return pd.concat([_read_table(path, FOOTPRINT_COLUMNS) for path in paths], ignore_index=True)


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


def _read_table(path: Path, columns: MappingProxyType[str, str]) -> pd.DataFrame:
    _check_columns(path, columns)
    try:
        table: pd.DataFrame = pq.read_table(path, columns=list(columns)).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, f"it cannot be read: {first_line(error)[:200]}") from error
    empty = [name for name in columns if table[name].isna().any()]
    if empty and set(empty) != {"height_m"}:  # a building's height may be unknown
        raise damaged(path, f"column {empty[0]!r} has missing values")
    return table


def _check_columns(path: Path, columns: MappingProxyType[str, str]) -> None:
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, f"it is no Parquet table: {first_line(error)[:200]}") from error
    for name, declared in columns.items():
        if name not in schema.names:
            raise damaged(path, f"column {name!r} is missing")
        found = schema.field(name).type
        if not _fits(found, declared):
            raise damaged(path, f"column {name!r} is {found}, it should be {declared}")


def _fits(found: pa.DataType, declared: str) -> bool:
    if declared == "str":
        return _is_text(found) or (pa.types.is_dictionary(found) and _is_text(found.value_type))
    kinds: dict[str, Callable[[pa.DataType], bool]] = {
        "bool": pa.types.is_boolean,
        "float64": lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind),
    }
    return bool(kinds.get(declared, pa.types.is_integer)(found)) or pa.types.is_null(found)


def _is_text(found: pa.DataType) -> bool:
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_null(found))


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
    try:
        shape, in_columns, dtype, begin = _header(path)
    except (*_HEADER_ERRORS, OSError) as error:
        raise damaged(path, f"it is no array: {first_line(error)[:200]}") from error
    if dtype.name not in DTYPES[layer] or in_columns or len(shape) != 4:
        raise damaged(
            path, f"it holds {dtype.name} {shape}, not {' or '.join(DTYPES[layer])} of 4 dimensions"
        )
    expected, found = begin + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if expected != found:
        raise damaged(path, f"it has {found} bytes instead of {expected}")
    return shape, dtype.name


def _header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    with path.open("rb") as file:
        read = _HEADERS.get(np.lib.format.read_magic(file))
        if read is None:
            raise ValueError("unknown version of the format")
        shape, in_columns, dtype = read(file)
        return shape, in_columns, dtype, file.tell()
