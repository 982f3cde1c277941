"""Pairs for tests: small, random, and different from each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from components.lib.change.pair import ChangedBuilding, Pair, Pixels
from components.lib.change.store.layout import StoreFacts
from components.lib.change.terms import BANDS, Modality
from components.lib.geo.geoarray import PixelTransform

PLACE = PixelTransform.north_up(x_left_m=500_000.0, y_top_m=4_000_000.0, gsd_m=0.5)


def facts(**changes: Any) -> StoreFacts:
    values: dict[str, Any] = {
        "data_set": "tiny",
        "tile_px": 16,
        "gsd_m": 0.5,
        "simulated": True,
        "licence": "none needed",
        "citation": "none",
    }
    return StoreFacts(**(values | changes))


def image(seed: int, size: tuple[int, int], modality: Modality) -> Pixels:
    shape = (*size, len(BANDS[modality]))
    return np.random.default_rng(seed).integers(1, 256, shape, dtype=np.uint8)


def make_pair(
    name: str = "first",
    split: Any = "train",
    *,
    size: tuple[int, int] = (32, 32),
    seed: int = 0,
    changed: slice | None = slice(4, 8),
    modalities: tuple[Modality, ...] = ("optical",),
    **changes: Any,
) -> Pair:
    label = np.zeros(size, np.uint8)
    if changed is not None:
        label[changed, changed] = 1
    values: dict[str, Any] = {
        "name": name,
        "scene": name,
        "split": split,
        "before": {kind: image(seed, size, kind) for kind in modalities},
        "after": {kind: image(seed + 1000, size, kind) for kind in modalities},
        "label": label,
        "place": PLACE,
        "crs": "EPSG:32631",
        "buildings": (ChangedBuilding("added", shapely.box(4, 4, 8, 8)),),
    }
    return Pair(**(values | changes))
