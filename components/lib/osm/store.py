"""Masks of a task on disk, beside the prepared store that they fit.

::

    <sensor>.npy       masks of a sensor's tiles by row, (N, H, W, 1) uint8, turned as the store's layers are
    quality.parquet    one row for each tile
    record.json        source, hash, date, licence and credit of the extract; rules; counts
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.contract.errors import BadDataError
from components.lib.files import require_input, write_json
from components.lib.osm.quality import QUALITY_COLUMNS
from components.lib.store.checks import check_length, read_columns, read_header
from components.lib.store.layer import StoredLayer

QUALITY_FILE, RECORD_FILE = "quality.parquet", "record.json"
_MAY_MISS = frozenset({"shift_east_m", "shift_north_m", "age_days"})


def create_masks(
    folder: Path, sensor: str, tiles: int, size: tuple[int, int]
) -> np.memmap[tuple[int, ...], np.dtype[np.uint8]]:
    """Create the mapped masks of a sensor, (tiles, height, width, 1) uint8, zero."""
    return np.lib.format.open_memmap(
        _path(folder, sensor), mode="w+", dtype=np.uint8, shape=(tiles, *size, 1)
    )


def write_tables(folder: Path, quality: pd.DataFrame, record: Mapping[str, Any]) -> None:
    """Write the quality of all tiles and the record of the source."""
    table = quality[list(QUALITY_COLUMNS)].astype(dict(QUALITY_COLUMNS))
    table.to_parquet(folder / QUALITY_FILE, index=False)
    write_json(folder / RECORD_FILE, record)


def read_masks(folder: Path, sensor: str) -> StoredLayer:
    """Return the masks of a sensor by row, (N, H, W, 1) uint8, mapped.

    Raises:
        MissingInputError: If there are none.
        BadDataError: If the file is damaged.
    """
    path = require_input(_path(folder, sensor), made_by="osm")
    header = read_header(path, _damaged)
    if header.dtype != np.uint8 or len(header.shape) != 4 or header.shape[-1] != 1 or header.in_columns:
        raise _damaged(path, f"it has {header.dtype} of {header.shape}, not uint8 of (N, H, W, 1)")
    check_length(path, header, _damaged)
    rows: npt.NDArray[np.int64] = np.arange(header.shape[0], dtype=np.int64)
    return StoredLayer([path], np.zeros_like(rows), rows)


def read_quality(folder: Path) -> pd.DataFrame:
    """Return the quality of all tiles, columns ``QUALITY_COLUMNS``.

    Raises:
        MissingInputError: If there is no such table.
        BadDataError: If it is damaged.
    """
    path = require_input(folder / QUALITY_FILE, made_by="osm")
    return read_columns(path, QUALITY_COLUMNS, _damaged, may_miss=_MAY_MISS)


def _path(folder: Path, sensor: str) -> Path:
    return folder / f"{sensor}.npy"


def _damaged(path: Path, why: str) -> BadDataError:
    return BadDataError(f"{path} is damaged: {why}", next_step="draw the masks again")
