"""Reading of the feature table that validation leaves, without the tiles that it quarantined."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from components.contract.errors import ParameterError
from components.lib.drift.tiles import TileStatistics, of_features
from components.lib.files import require_input
from components.lib.folders import read_bounded
from components.lib.foreign import judged
from components.lib.tables import read_table

TABLE = "features.parquet"
"""File of validation: a row for each tile with what was measured of it."""

QUARANTINE = "quarantine.csv"
"""File beside the features, where validation has judged them: tiles that take no part."""

MOST_FILE_BYTES = 4 << 30
"""Size of a file that is read here: a table of a million tiles has less."""

_VALIDATE = "run `dvc repro verdict`"


def read_features(path: Path, block_m: float) -> TileStatistics:
    """Return the statistics of the tiles that later stages see.

    Args:
        path: ``features.parquet`` of validation, or its folder; ``quarantine.csv`` beside it is heeded.
        block_m: Side of the ground blocks, metres.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If it is no table of features, or the list of quarantined tiles is damaged.
    """
    file = path / TABLE if path.is_dir() else path
    require_input(file, made_by="verdict")
    listed = file.with_name(QUARANTINE)
    quarantine = _content(listed) if listed.exists() else None
    return measured_tiles(_content(file), quarantine, block_m, name=str(file))


def measured_tiles(features: bytes, quarantine: bytes | None, block_m: float, *, name: str) -> TileStatistics:
    """Return the statistics of the tiles that later stages see.

    Args:
        features: Content of ``features.parquet``.
        quarantine: Content of ``quarantine.csv``; None where nothing was judged.
        block_m: Side of the ground blocks, metres.
        name: Name of the table, for messages.

    Raises:
        BadDataError: If it is no table of features, or the list of quarantined tiles is damaged.
    """
    with judged(name, next_step=_VALIDATE):
        tiles = of_features(pd.read_parquet(io.BytesIO(features)), block_m)
    left_out = set() if quarantine is None else _listed(quarantine, f"{QUARANTINE} of {name}")
    keys = zip(tiles.table["acquisition"], tiles.table["image_id"], strict=True)
    kept = np.fromiter((key not in left_out for key in keys), dtype=bool)  # of no tile, too
    return TileStatistics(tiles.table[kept].reset_index(drop=True), block_m)


def chosen(tiles: TileStatistics, acquisitions: list[str] | None) -> TileStatistics:
    """Return the tiles of some acquisitions, of all where none is named.

    Raises:
        ParameterError: If an acquisition has no tile.
    """
    known = set(tiles.table["acquisition"])
    missing = sorted(set(acquisitions or ()) - known)
    if missing or not known:
        raise ParameterError(
            f"the features hold no tile of {', '.join(missing) or 'any acquisition'}",
            next_step=f"name one of {', '.join(sorted(known)) or 'those that were validated'}",
        )
    if not acquisitions:
        return tiles
    rows = tiles.table[tiles.table["acquisition"].isin(acquisitions)]
    return TileStatistics(rows.reset_index(drop=True), tiles.block_m)


def _content(file: Path) -> bytes:
    return read_bounded(file, str(file), MOST_FILE_BYTES, next_step=_VALIDATE)


def _listed(content: bytes, name: str) -> set[tuple[str, str]]:
    """Return acquisition and image of the quarantined tiles."""
    table = read_table(content, name)
    acquisition, image = table.require(("acquisition", "image_id"))
    return {(row.fields[acquisition], row.fields[image]) for row in table.even_rows()}
