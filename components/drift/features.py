"""Reading of the feature table that validation leaves, without the tiles that it quarantined."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd

from components.contract.errors import ParameterError
from components.drift.parameters import QUARANTINE
from components.lib.drift.tiles import TileStatistics, of_features
from components.lib.files import require_input
from components.lib.foreign import judged
from components.lib.tables import read_table

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
    file = path / "features.parquet" if path.is_dir() else path
    require_input(file, made_by="validate")
    with judged(str(file), next_step=_VALIDATE):
        features = pd.read_parquet(io.BytesIO(file.read_bytes()))
    with judged(str(file), next_step=_VALIDATE):
        tiles = of_features(features, block_m)
    quarantined = _quarantined(file.with_name(QUARANTINE))
    keys = zip(tiles.table["acquisition"], tiles.table["image_id"], strict=True)
    kept = [key not in quarantined for key in keys]
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


def _quarantined(path: Path) -> set[tuple[str, str]]:
    """Return acquisition and image of the quarantined tiles; none where nothing was judged."""
    if not path.exists():
        return set()
    table = read_table(path.read_bytes(), str(path))
    acquisition, image = table.require(("acquisition", "image_id"))
    return {(row.fields[acquisition], row.fields[image]) for row in table.even_rows()}
