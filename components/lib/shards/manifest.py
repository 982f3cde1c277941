"""The manifest: one row per file of ``data/raw`` with its identity, size, checksum and place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.contract.errors import BadDataError
from components.lib.files import atomic_file, require_input
from components.lib.foreign import one_line

if TYPE_CHECKING:
    import pandas as pd  # a download, which only writes, starts without it

MANIFEST = "manifest.parquet"

SCHEMA = pa.schema(
    [
        ("acquisition", pa.string()),
        ("sensor", pa.string()),
        ("name", pa.string()),
        ("product", pa.string()),
        ("strip", pa.string()),
        ("tile", pa.int32()),
        ("size", pa.int64()),
        ("sha256", pa.string()),
        ("source", pa.string()),
        ("shard", pa.string()),
        ("offset", pa.int64()),
    ]
)
"""Columns in order; the fields of :class:`FileRow`."""


LONGEST_TEXT = 4096
"""Characters of a name, path or address; a longer one is damage, and would fill every message about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One file.

    Attributes:
        acquisition: Catalogue id.
        sensor: Sensor name.
        name: Bare file name.
        product: Product name as the sensor's data set declares it; its summaries have one of their own.
        strip: Overflight that the tile was cut from; empty for summary files.
        tile: Tile number; -1 for summary files.
        size: Content size, bytes.
        sha256: Hex digest of the content.
        source: URI it came from.
        shard: Path of its shard, relative to ``data/raw``.
        offset: Byte offset of the content inside the shard.
    """

    acquisition: str
    sensor: str
    name: str
    product: str
    strip: str
    tile: int
    size: int
    sha256: str
    source: str
    shard: str
    offset: int


def write_manifest(raw: Path, rows: Iterable[FileRow]) -> None:
    """Write ``manifest.parquet`` into ``raw``, sorted by acquisition, product, strip, tile and name."""
    ordered = sorted(rows, key=lambda row: (row.acquisition, row.product, row.strip, row.tile, row.name))
    table = pa.Table.from_pylist([asdict(row) for row in ordered], schema=SCHEMA)
    with atomic_file(raw / MANIFEST) as path:
        pq.write_table(table, path)


def read_manifest(raw: Path) -> pd.DataFrame:
    """Read the manifest of ``raw``; the columns are the fields of :class:`FileRow`.

    Raises:
        MissingInputError: If there is none.
        BadDataError: If it is not a manifest.
    """
    path = require_input(raw / MANIFEST, made_by="download")
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        table = pq.read_table(path)
        missing = [name for name in SCHEMA.names if name not in table.column_names]
        if missing:
            raise ValueError(f"columns missing: {', '.join(missing)}")
        table = table.select(SCHEMA.names).cast(SCHEMA)
        empty = [name for name in SCHEMA.names if table[name].null_count]
        if empty:
            raise ValueError(f"rows without {', '.join(empty)}")
        long = [field.name for field in SCHEMA if field.type == pa.string() and _is_long(table[field.name])]
        if long:
            raise ValueError(f"more than {LONGEST_TEXT} characters in {', '.join(long)}")
    except (pa.ArrowException, ValueError, OSError, KeyError, TypeError) as error:
        raise BadDataError(
            f"{path} is not a manifest: {one_line(error)}", next_step="run `dvc repro --force download`"
        ) from error
    frame: pd.DataFrame = table.to_pandas()
    return frame


def rows_of(manifest: pd.DataFrame) -> list[FileRow]:
    """Return the rows of a manifest, in its order."""
    # Column by column: rows of a table cost a look-up for each of their values.
    names = [one.name for one in fields(FileRow)]
    columns = [manifest[name].to_numpy().tolist() for name in names]
    return [FileRow(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def _is_long(column: pa.ChunkedArray) -> bool:
    longest = pc.max(pc.utf8_length(column)).as_py()
    return longest is not None and longest > LONGEST_TEXT
