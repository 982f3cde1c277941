"""Contact sheet: image and mask of some tiles, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.lib.osm.store import read_masks
from components.lib.osm.terms import IGNORE, OBJECT
from components.lib.report.panels import optical_picture, sar_picture, save_sheet, squared
from components.lib.store.store import Store

TILES = 8
"""Tiles on the sheet: those at even distances in the order of their share of objects."""

SIDE_PX = 320
"""Side of a picture, pixels."""

_GAP_PX = 4
_OBJECT_RGB, _IGNORE_RGB = (230, 60, 30), (70, 90, 160)

Picture = npt.NDArray[np.uint8]


def draw_sheet(store: Store, masks: Path, quality: pd.DataFrame, path: Path) -> None:
    """Write a PNG with a row for each tile: the image, and the mask over it, as the store has them turned.

    Objects are red, what is ignored is blue.
    """
    ordered = quality.sort_values(["object_share", "sensor", "row"], ignore_index=True)
    places = np.unique(np.linspace(0, len(ordered) - 1, num=min(TILES, len(ordered))).astype(int))
    rows = []
    for sensor, row in ordered.loc[places[::-1], ["sensor", "row"]].itertuples(index=False, name=None):
        image = _picture(store, sensor, row)
        mask = np.asarray(read_masks(masks, sensor)[row])[..., 0]
        rows.append([squared(image, SIDE_PX), squared(_painted(image, mask), SIDE_PX)])
    save_sheet(path, rows, _GAP_PX)


def _picture(store: Store, sensor: str, row: int) -> Picture:
    tile = store.index[(store.index["sensor"] == sensor) & (store.index["row"] == row)].iloc[0]
    if tile["has_optical"]:
        return optical_picture(np.asarray(store.layer(sensor, "optical")[row]))
    return sar_picture(np.asarray(store.layer(sensor, "sar")[row]))


def _painted(image: Picture, mask: Picture) -> Picture:
    painted = image.astype(np.float32)
    for value, colour in ((OBJECT, _OBJECT_RGB), (IGNORE, _IGNORE_RGB)):
        painted[mask == value] = 0.4 * painted[mask == value] + 0.6 * np.array(colour, dtype=np.float32)
    return painted.astype(np.uint8)
