"""A store of a few tiny tiles of noise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.lib.store.layout import FOOTPRINT_COLUMNS, LAYERS, LAYERS_FOLDER, write_store
from components.lib.store.store import Store

SENSOR, OTHER = "simulated-airborne", "simulated-spaceborne"
SIDE = 40


def array_path(store: Path, sensor: str, layer: str) -> Path:
    """File of a layer in a store with one acquisition of the sensor."""
    [path] = (store / LAYERS_FOLDER).glob(f"*/*/{sensor}/{layer}.npy")
    return path


def mapped(pixels: npt.NDArray[Any]) -> bool:
    """Return whether pixels are a view of a mapped file."""
    base: Any = pixels
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    return base is not None


def tiny_store(
    folder: Path,
    *,
    splits: Sequence[str] = ("train",) * 4,
    clean: Sequence[bool] | None = None,
    footprints: pd.DataFrame | None = None,
    half: bool = False,
) -> tuple[Store, dict[tuple[str, str], npt.NDArray[Any]]]:
    """Two sensors with ``len(splits)`` tiles each, the second without optical; and the layers as arrays.

    With ``half`` SAR is float16, half a step above the whole numbers.
    """
    n = len(splits)
    index = pd.DataFrame(
        {
            "acquisition": "a",
            "sensor": [SENSOR] * n + [OTHER] * n,
            "image_id": [f"tile_{row}" for row in range(n)] * 2,
            "strip": "s",
            "tile": [*range(n)] * 2,
            "orientation": 0,
            "row": [*range(n)] * 2,
            "x_left_m": 0.0,
            "y_top_m": 0.0,
            "gsd_m": 0.5,
            "height": SIDE,
            "width": SIDE,
            "split": [*splits] * 2,
            "kang": False,
            "clean": [*(clean or [False] * n)] * 2,
            "nodata_share": 0.0,
            "n_buildings": 0,
            "has_optical": [True] * n + [False] * n,
        }
    )
    random = np.random.default_rng(7)
    layers: dict[tuple[str, str], npt.NDArray[Any]] = {
        (sensor, layer): random.integers(1, 255, (n, SIDE, SIDE, channels), dtype=np.uint8)
        for sensor in (SENSOR, OTHER)
        for layer, channels in LAYERS.items()
        if (sensor, layer) != (OTHER, "optical")
    }
    for key in layers if half else ():
        if key[1] == "sar":
            layers[key] = layers[key].astype(np.float16) + np.float16(0.5)
    table = pd.DataFrame(columns=list(FOOTPRINT_COLUMNS)) if footprints is None else footprints
    write_store(folder / "store", index, table, layers)
    return Store.open(folder / "store"), layers
