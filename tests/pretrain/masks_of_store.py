"""Masks of a tiny store as stage ``osm`` leaves them: its footprints, and ignored rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.lib.osm.terms import BACKGROUND, IGNORE, OBJECT
from components.lib.store.store import Store
from components.lib.tasks.labels import target_of
from tests.lib.engine.tiny_store import SENSOR, SIDE

IGNORED_ROWS = 24
"""Upper rows of each tile that are ignored."""


def write_masks(folder: Path, store: Store) -> Path:
    folder.mkdir(parents=True)
    target = store.layer(SENSOR, "target")
    masks = np.stack([np.where(target_of(target[row]), OBJECT, BACKGROUND) for row in range(target.shape[0])])
    masks[:, :IGNORED_ROWS] = IGNORE
    np.save(folder / f"{SENSOR}.npy", masks.astype(np.uint8).reshape(-1, SIDE, SIDE, 1))
    return folder
