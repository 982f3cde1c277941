"""The tables that expectations are held against: one row per tile, one row per strip."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
from tqdm import tqdm

from components.lib.datasets.base import Sensor
from components.lib.datasets.sensors import get_sensor
from components.validate.features import tile_features
from components.validate.summary import Summaries
from components.validate.tiles import Record, Tile

BASE_COLUMNS = ("acquisition", "sensor", "image_id", "strip", "tile", "well_named", "name_error")
"""Columns that every row of the tile table has, and the table has even without rows."""

_NO_SUMMARIES = Summaries()


def tile_table(
    tiles: list[Tile], summaries: Mapping[str, Summaries], read: Callable[[Record], bytes]
) -> pd.DataFrame:
    """Compute the features of all tiles on all cores (decoding and moments release the interpreter lock).

    Args:
        tiles: Result of :func:`gather_tiles`; the rows keep that order.
        summaries: Content of the summary files, by acquisition.
        read: Gives the checked content of a manifest row; called from several threads.

    Returns:
        One row per tile; booleans, integers, floats and text in nullable columns.
    """

    def features(tile: Tile) -> dict[str, Any]:
        known = summaries.get(tile.acquisition, _NO_SUMMARIES)
        return tile_features(tile, get_sensor(tile.sensor), known, read)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        rows = list(
            tqdm(pool.map(features, tiles), total=len(tiles), desc="features", unit="tile", disable=None)
        )
    return _typed(with_columns(pd.DataFrame(rows, dtype=object), BASE_COLUMNS))


def with_columns(table: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """Return ``table`` with the named columns, missing values throughout where it had no such column."""
    absent = dict.fromkeys(name for name in columns if name not in table)
    return table.assign(**{name: pd.Series(pd.NA, index=table.index, dtype="Float64") for name in absent})


def concatenated(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join tile tables into the one of all their tiles, whichever tiles each of them has.

    Args:
        parts: Results of :func:`tile_table`, of different tiles.

    Returns:
        Rows sorted by acquisition and image id; the columns of ``BASE_COLUMNS``, then the others by name,
        each of the type that its values in all parts have.
    """
    filled = [part for part in parts if len(part)]
    others = {str(name) for part in filled for name in part.columns} - set(BASE_COLUMNS)
    types = {name: _common_type(name, filled) for name in (*BASE_COLUMNS, *sorted(others))}
    aligned = [with_columns(part, types)[list(types)].astype(types) for part in filled]
    if not aligned:
        return with_columns(pd.DataFrame(), BASE_COLUMNS)
    table = pd.concat(aligned, ignore_index=True)
    return table.sort_values(["acquisition", "image_id"], kind="stable", ignore_index=True)


def _common_type(name: str, parts: Sequence[pd.DataFrame]) -> str:
    """Return the one type that a column's values have, as :func:`_column_type` does for one table."""
    found = {str(part[name].dtype) for part in parts if name in part and part[name].notna().any()}
    return found.pop() if len(found) == 1 else "Float64"


def strip_table(features: pd.DataFrame, quarantined: set[tuple[str, str]], sensor: Sensor) -> pd.DataFrame:
    """Compute one row per strip of ``sensor``.

    Args:
        features: The sensor's rows of the tile table.
        quarantined: (acquisition, image_id) of the tiles that later stages will not see.
        sensor: The sensor.

    Returns:
        ``acquisition``, ``strip``, ``tiles`` and ``kept`` (counts), ``kept_share``, ``labels`` (buildings on
        kept tiles), ``mean_<band>`` (mean of the kept tiles' means, SAR units) and ``drift`` (distance of
        the mean over bands from the median strip's).
    """
    means = [f"mean_{band}" for band in sensor.bands]
    named = with_columns(
        features[features["well_named"].astype(bool)], ["label_count", *(f"sar_{name}" for name in means)]
    )
    kept = pd.Series(
        [key not in quarantined for key in zip(named["acquisition"], named["image_id"], strict=True)],
        index=named.index,
        dtype=bool,
    )
    work = pd.DataFrame(
        {
            "acquisition": named["acquisition"],
            "strip": named["strip"],
            "kept": kept,
            "labels": named["label_count"].where(kept).astype("Float64"),
            **{name: named[f"sar_{name}"].where(kept).astype("Float64") for name in means},
        }
    )
    groups = work.groupby(["acquisition", "strip"], sort=True)
    strips = pd.DataFrame(
        {"tiles": groups.size(), "kept": groups["kept"].sum(), "labels": groups["labels"].sum()}
    )
    strips["kept_share"] = strips["kept"] / strips["tiles"]
    strips = strips.join(groups[means].mean()).reset_index()
    level = strips[means].mean(axis=1)
    strips["drift"] = (level - level.median()).abs()
    return strips


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give every column the nullable type of its values; a parquet file needs one type per column."""
    return table.astype({name: _column_type(table[name]) for name in table.columns})


def _column_type(column: pd.Series) -> str:
    kinds = {type(value) for value in column.dropna()}
    for kind, name in ((bool, "boolean"), (int, "Int64"), (str, "string")):
        if kinds == {kind}:
            return name
    return "Float64"
