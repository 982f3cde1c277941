"""Checks of the files of a training store: columns of a table, header and length of an array.

Each takes ``damaged``, which makes the error about a file from its path and the reason, as stores are made
by different stages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.contract.errors import BadDataError, first_line

Damaged = Callable[[Path, str], BadDataError]

_HEADERS = MappingProxyType(
    {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
)

_HEADER_ERRORS = (ValueError, EOFError, SyntaxError, TokenError, RecursionError, MemoryError)
"""Errors of NumPy's reader of headers, which are Python literals: its parser's and its tokenizer's, too."""


class Header(NamedTuple):
    """Header of a ``.npy`` file.

    Attributes:
        shape: Shape of the array.
        in_columns: True for Fortran order.
        dtype: Number format.
        begin: Bytes before the first number.
    """

    shape: tuple[int, ...]
    in_columns: bool
    dtype: np.dtype[Any]
    begin: int


def read_columns(
    path: Path, columns: Mapping[str, str], damaged: Damaged, *, may_miss: Collection[str] = ()
) -> pd.DataFrame:
    """Read the declared columns of a Parquet table.

    Args:
        path: The table.
        columns: Type by name: ``str``, ``bool``, ``float64`` or an integer type.
        damaged: Maker of the error.
        may_miss: Columns that may have missing values.

    Raises:
        BadDataError: If the table cannot be read, a column is missing or of another type, or a value is
            missing.
    """
    check_columns(path, columns, damaged)
    try:
        table: pd.DataFrame = pq.read_table(path, columns=list(columns)).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise damaged(path, f"it cannot be read: {first_line(error)[:200]}") from error
    empty = [name for name in columns if name not in may_miss and table[name].isna().any()]
    if empty:
        raise damaged(path, f"column {empty[0]!r} has missing values")
    return table


def check_columns(path: Path, columns: Mapping[str, str], damaged: Damaged) -> None:
    """Check names and types of a Parquet table's columns, reading its schema alone.

    Raises:
        BadDataError: If it is no table, or a column is missing or of another type.
    """
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


def read_header(path: Path, damaged: Damaged) -> Header:
    """Read the header of a ``.npy`` file.

    Raises:
        BadDataError: If it is no array.
    """
    try:
        with path.open("rb") as file:
            read = _HEADERS.get(np.lib.format.read_magic(file))
            if read is None:
                raise ValueError("unknown version of the format")
            return Header(*read(file), file.tell())
    except (*_HEADER_ERRORS, OSError) as error:
        raise damaged(path, f"it is no array: {first_line(error)[:200]}") from error


def check_length(path: Path, header: Header, damaged: Damaged) -> None:
    """Check that a ``.npy`` file is as long as its header says.

    Raises:
        BadDataError: If it is not.
    """
    expected = header.begin + math.prod(header.shape) * header.dtype.itemsize
    found = path.stat().st_size
    if expected != found:
        raise damaged(path, f"it has {found} bytes instead of {expected}")


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
