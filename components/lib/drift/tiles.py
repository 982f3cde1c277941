"""Tables of tile statistics: from the features that validation leaves, and as parquet files from outside."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.contract.errors import BadDataError
from components.lib.drift.geolocation import OFFSETS
from components.lib.drift.statistics import OF_BANDS
from components.lib.foreign import judged
from components.lib.scoring.blocks import block_names

KEYS = ("acquisition", "sensor", "image_id", "strip", "location")
"""Columns of text that every row has; ``location`` is the ground block of the tile's centre."""

STATISTIC = re.compile(
    rf"(?:sar|optical)_(?:nodata_share|(?:{'|'.join(OF_BANDS)})_[A-Za-z0-9]{{1,8}})|sar_(?:{'|'.join(OFFSETS)})"
)
"""Columns of statistics, as validation names them; offsets only where outlines of buildings are known."""

FARTHEST_M = 1e8
"""Map coordinates beyond this are none: no projection of the earth has them. Metres."""

MOST_BYTES = 64 << 20
MOST_ROWS, MOST_COLUMNS = 1_000_000, 200

_FACTS = b"stormsight.drift"
_NEEDED = ("x_left_m", "y_top_m", "width", "height", "resolution_x_m", "resolution_y_m")
_VALIDATE = "give one that `python -m components.validate` of this version has made"
_MAKE_AGAIN = "make it again with `python -m components.drift reference`"


@dataclass(frozen=True, slots=True)
class TileStatistics:
    """Statistics of tiles.

    Attributes:
        table: One row per tile: :data:`KEYS`, and columns of float64 that fit :data:`STATISTIC`.
        block_m: Side of the ground blocks that ``location`` names, metres.
    """

    table: pd.DataFrame
    block_m: float

    @property
    def statistics(self) -> list[str]:
        """Names of the statistics, in the table's order."""
        return [name for name in self.table.columns if name not in KEYS]

    def of(self, *, acquisition: str | None = None, sensor: str | None = None) -> TileStatistics:
        """Return the rows of one acquisition, or of one sensor."""
        rows = self.table
        if acquisition is not None:
            rows = rows[rows["acquisition"] == acquisition]
        if sensor is not None:
            rows = rows[rows["sensor"] == sensor]
        return TileStatistics(rows, self.block_m)


def of_features(features: pd.DataFrame, block_m: float) -> TileStatistics:
    """Return the statistics of the tiles whose SAR image was read, sorted by acquisition and image.

    A tile whose place is not known is left out; a statistic that is infinite counts as missing.

    Args:
        features: The feature table of ``validate``.
        block_m: Side of the ground blocks, metres.

    Raises:
        BadDataError: If the table lacks what validation measures.
    """
    needed = [*KEYS[:-1], "sar_readable", *(f"sar_{name}" for name in _NEEDED)]
    missing = [name for name in needed if name not in features]
    statistics = sorted(name for name in features.columns if STATISTIC.fullmatch(str(name)))
    if missing or not any("_texture_" in name for name in statistics):
        raise BadDataError(
            f"the table of features lacks {', '.join(missing[:3]) or 'the texture of the bands'}",
            next_step=_VALIDATE,
        )
    read = features[features["sar_readable"].astype("boolean").fillna(value=False).astype(bool)]
    if any((read[name].isna() | (read[name] == "")).any() for name in KEYS[:3]):
        raise BadDataError(
            "the table of features has a tile without acquisition, sensor or image", next_step=_VALIDATE
        )
    place = {name: read[f"sar_{name}"].astype("float64").to_numpy() for name in _NEEDED}
    x_m = place["x_left_m"] + 0.5 * place["width"] * place["resolution_x_m"]
    y_m = place["y_top_m"] - 0.5 * place["height"] * place["resolution_y_m"]
    known = (np.abs(x_m) <= FARTHEST_M) & (np.abs(y_m) <= FARTHEST_M)
    read = read[known]
    found = pd.DataFrame({name: read[name].astype(str) for name in KEYS[:-1]})
    found["location"] = block_names(x_m[known], y_m[known], block_m)
    values = read[statistics].astype("float64").replace([np.inf, -np.inf], np.nan)
    table = pd.concat([found, values], axis=1).sort_values(["acquisition", "image_id"], kind="stable")
    return TileStatistics(table.reset_index(drop=True), block_m)


def encoded(tiles: TileStatistics) -> bytes:
    """Return the parquet file of a table; equal tables give equal bytes.

    Raises:
        BadDataError: If it could not be read again, such as one of too many statistics.
    """
    table = pa.Table.from_pandas(tiles.table, preserve_index=False)
    facts = json.dumps({"block_m": tiles.block_m, "schema": 1}, sort_keys=True).encode()
    buffer = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({_FACTS: facts}), buffer)
    content = buffer.getvalue()
    decoded(content, "the table of these tiles")  # a file that nobody can read must not be kept
    return content


def decoded(content: bytes, name: str) -> TileStatistics:
    """Return the table of a parquet file, which may hold anything.

    Args:
        content: The file's bytes.
        name: File name, for messages.

    Raises:
        BadDataError: If it is no parquet file, or not one of :func:`encoded`.
    """
    if len(content) > MOST_BYTES:
        raise _unfit(name, f"it has more than {MOST_BYTES >> 20} MiB")
    with judged(name, next_step=_MAKE_AGAIN):
        file = pq.ParquetFile(io.BytesIO(content))
        # Looked at before any row is read: few bytes can unfold to many.
        block_m = _checked(file, name)
        table = file.read().to_pandas()
    if any(table[key].isna().any() or (table[key] == "").any() for key in KEYS if key != "strip"):
        raise _unfit(name, "a row names no acquisition, sensor, image or location")
    if np.isinf(table.drop(columns=list(KEYS)).to_numpy(np.float64)).any():
        raise _unfit(name, "a statistic is infinite")
    return TileStatistics(table, block_m)


def _checked(file: pq.ParquetFile, name: str) -> float:
    """Check the schema of a file; return the side of its ground blocks, metres."""
    schema, rows = file.schema_arrow, file.metadata.num_rows
    if rows > MOST_ROWS or len(schema) > MOST_COLUMNS:
        raise _unfit(name, f"it has {rows} rows and {len(schema)} columns")
    groups = [file.metadata.row_group(k).total_byte_size for k in range(file.metadata.num_row_groups)]
    if sum(groups) > 4 * MOST_BYTES:
        raise _unfit(name, "it unfolds to too many bytes")
    facts = json.loads((schema.metadata or {}).get(_FACTS, b"null"))
    if not isinstance(facts, dict) or facts.get("schema") != 1:
        raise _unfit(name, "it does not say that it holds statistics of tiles")
    block_m = facts.get("block_m")
    if isinstance(block_m, bool) or not isinstance(block_m, int | float) or not 1.0 <= block_m <= 1e6:
        raise _unfit(name, "it states no side of its ground blocks")
    if tuple(schema.names[: len(KEYS)]) != KEYS or len(set(schema.names)) < len(schema.names):
        raise _unfit(name, f"its columns do not begin with {', '.join(KEYS)}")
    for field in schema:
        text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        if field.name in KEYS and not text:
            raise _unfit(name, f"its column {field.name} is no text")
        if field.name not in KEYS and (
            STATISTIC.fullmatch(field.name) is None or not pa.types.is_float64(field.type)
        ):
            raise _unfit(name, f"its column {field.name[:60]!r} is no statistic")
    return float(block_m)


def _unfit(name: str, why: str) -> BadDataError:
    return BadDataError(f"{name} is no table of tile statistics: {why}", next_step=_MAKE_AGAIN)
