"""Checks of a training store when it is opened: tables, headers and sizes of arrays; no pixel is read.

A damaged store must not be trained on, and must not end in an error of some library in mid-training. The cost
is one pass over ``index.parquet`` and one header per array, whatever the number of tiles.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.contract.errors import BadDataError, ParameterError, first_line
from components.lib.datasets.sensors import get_sensor
from components.lib.files import require_input
from components.lib.store.layout import (
    DTYPES,
    FOOTPRINT_COLUMNS,
    FOOTPRINTS_FILE,
    INDEX_COLUMNS,
    INDEX_FILE,
    LAYERS,
    SPLITS,
    layer_path,
)

_HEADERS = MappingProxyType(
    {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
)

_HEADER_ERRORS = (ValueError, EOFError, SyntaxError, TokenError, RecursionError, MemoryError)
"""Errors of NumPy's reader of headers, which are Python literals: its parser's and its tokenizer's, too."""


def checked_index(folder: Path) -> pd.DataFrame:
    """Return the index of the store in ``folder`` after checking it and everything it refers to.

    Raises:
        MissingInputError: If there is no store, or an array of it is missing.
        BadDataError: If a table or an array is damaged, or they do not fit together; the file is named.
    """
    path = require_input(folder / INDEX_FILE, made_by="prepare")
    index = _read_table(path, INDEX_COLUMNS)
    _check_values(path, index)
    for sensor, tiles in index.groupby("sensor", sort=True):
        _check_sensor(folder, str(sensor), tiles)
    footprints = folder / FOOTPRINTS_FILE
    if footprints.exists():
        _check_columns(footprints, FOOTPRINT_COLUMNS)
    return index


def read_footprints(folder: Path) -> pd.DataFrame:
    """Return the footprints of the store in ``folder``.

    Raises:
        MissingInputError: If they are missing.
        BadDataError: If they are damaged.
    """
    return _read_table(require_input(folder / FOOTPRINTS_FILE, made_by="prepare"), FOOTPRINT_COLUMNS)


def damaged(path: Path, why: str) -> BadDataError:
    """Return the failure for a file of a store."""
    return BadDataError(
        f"{path}: {why}", next_step="prepare the store again (`dvc repro --force prepare`): it was damaged"
    )


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


def _check_sensor(folder: Path, sensor: str, tiles: pd.DataFrame) -> None:
    rows = tiles["row"].to_numpy(np.int64)
    if len(np.unique(rows)) != len(rows):
        raise damaged(folder / INDEX_FILE, f"two tiles of {sensor} have the same row")
    sizes = tiles[["height", "width"]].drop_duplicates()
    if len(sizes) != 1:
        raise damaged(folder / INDEX_FILE, f"tiles of {sensor} differ in size")
    size = (int(sizes["height"].iloc[0]), int(sizes["width"].iloc[0]))
    count: int | None = None
    for layer in LAYERS:
        path = layer_path(folder, sensor, layer)
        if not path.exists() and (layer != "optical" or not tiles["has_optical"].any()):
            continue  # told when it is asked for: not everybody needs every layer
        shape = _check_array(path, layer)
        if shape[1:] != (*size, LAYERS[layer]):
            raise damaged(path, f"its tiles are {shape[1:]}, {(*size, LAYERS[layer])} is in the index")
        if rows.max() >= shape[0] or len(rows) != shape[0]:
            named = f"row {rows.max()}" if rows.max() >= shape[0] else f"{len(rows)} of them"
            raise damaged(path, f"it has {shape[0]} tiles, the index names {named}")
        if count not in (None, shape[0]):
            raise damaged(path, f"it has {shape[0]} tiles, another layer of {sensor} has {count}")
        count = shape[0]


def _check_array(path: Path, layer: str) -> tuple[int, ...]:
    """Check header and length of a layer's file; return its shape."""
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
    return shape


def _header(path: Path) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    with path.open("rb") as file:
        read = _HEADERS.get(np.lib.format.read_magic(file))
        if read is None:
            raise ValueError("unknown version of the format")
        shape, in_columns, dtype = read(file)
        return shape, in_columns, dtype, file.tell()
