"""Contact sheet of a store: before, after and label of some tiles, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.lib.change.pair import Pixels
from components.lib.change.store.store import PairStore
from components.lib.change.terms import CHANGED, UNKNOWN
from components.lib.report.panels import sar_picture, save_sheet, squared

ROWS = 8
"""Tiles on the sheet: half of them those with most change, half of them spread over all."""

SIDE_PX = 256
"""Side of a picture."""

_GAP = 4
_UNKNOWN_GREY = 90


def draw_sheet(store: PairStore, path: Path) -> list[str]:
    """Write a PNG with a row for each tile: all images before, all images after, the label.

    In the label change is white, unchanged black, unknown grey.

    Returns:
        Pair and place of each row's tile, from top to bottom.
    """
    images = sorted(name for name in store.layers if name != "label")
    images.sort(key=lambda name: name.startswith("after"))
    chosen = chosen_rows(store)
    rows = [
        [*(_picture(store, name, row) for name in images), _label(store.layer("label")[row])]
        for row in chosen
    ]
    titles = [name.replace("_", ", ").replace("sar", "SAR") for name in images]
    save_sheet(path, rows, _GAP, [*titles, "changed; grey: unknown"])
    tiles = store.index.iloc[chosen]
    return [
        f"{name}, from column {x}, row {y}"
        for name, x, y in zip(tiles["name"], tiles["x_px"], tiles["y_px"], strict=True)
    ]


def chosen_rows(store: PairStore) -> list[int]:
    """Return the rows on the sheet, ascending."""
    changed = (store.index["changed_share"] * store.index["known_share"]).to_numpy()
    most = np.argsort(-changed, kind="stable")[: ROWS // 2].tolist()
    spread = np.linspace(0, len(changed) - 1, num=min(ROWS, len(changed))).astype(int).tolist()
    others = [row for row in spread if row not in most]
    return sorted([*most, *others[: ROWS - len(most)]])


def _picture(store: PairStore, layer: str, row: int) -> Pixels:
    tile = np.asarray(store.layer(layer)[row])
    return squared(sar_picture(tile) if tile.shape[-1] == 4 else tile, SIDE_PX)


def _label(tile: Pixels) -> Pixels:
    grey: npt.NDArray[np.uint8] = np.zeros(tile.shape[:2], dtype=np.uint8)
    grey[tile[..., 0] == CHANGED] = 255
    grey[tile[..., 0] == UNKNOWN] = _UNKNOWN_GREY
    return squared(np.repeat(grey[..., None], 3, axis=-1), SIDE_PX, Image.Resampling.NEAREST)
