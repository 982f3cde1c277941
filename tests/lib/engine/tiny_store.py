"""A store of 96-pixel tiles with square buildings, bright in both images, and parameters to train on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from components.lib.store.layout import write_store
from components.lib.store.store import Store

SENSOR = "simulated-airborne"
SIDE = 96
SPLITS = ("train",) * 10 + ("selection",) * 2 + ("test",) * 2


def tile(generator: np.random.Generator) -> tuple[np.ndarray[Any, Any], ...]:
    """SAR, optical and target of one tile."""
    target = np.zeros((SIDE, SIDE, 3), np.uint8)
    for _ in range(4):
        y, x = generator.integers(4, SIDE - 28, 2)
        target[y : y + 20, x : x + 20, 0] = 1
    building = target[..., :1] * np.uint8(90)
    sar = building + generator.integers(40, 90, (SIDE, SIDE, 4), dtype=np.uint8)
    optical = building + generator.integers(60, 100, (SIDE, SIDE, 4), dtype=np.uint8)
    return sar, optical, target


def make_store(folder: Path, *, seed: int = 5, optical: bool = True) -> Store:
    """Write and open the store; equal seeds give equal SAR images and targets, with or without optical."""
    generator = np.random.default_rng(seed)
    sar, photo, target = (np.stack(layer) for layer in zip(*(tile(generator) for _ in SPLITS), strict=True))
    index = pd.DataFrame(
        {
            "acquisition": "tiny",
            "sensor": SENSOR,
            "image_id": [f"20190804000000_20190804000100_tile_{n}" for n in range(len(SPLITS))],
            "strip": "20190804000000_20190804000100",
            "tile": range(len(SPLITS)),
            "orientation": 0,
            "row": range(len(SPLITS)),
            "x_left_m": [591600.0 + 48 * n for n in range(len(SPLITS))],
            "y_top_m": 5750000.0,
            "gsd_m": 0.5,
            "height": SIDE,
            "width": SIDE,
            "split": SPLITS,
            "kang": [split == "test" for split in SPLITS],
            "clean": [split == "test" for split in SPLITS],
            "nodata_share": 0.0,
            "n_buildings": 4,
            "has_optical": optical,
        }
    )
    layers = {(SENSOR, "sar"): sar, (SENSOR, "target"): target}
    if optical:
        layers[SENSOR, "optical"] = photo
    write_store(folder, index, pd.DataFrame(), layers)
    return Store.open(folder)


TRAINING: dict[str, Any] = {
    "decoder_channels": 16, "crop": 64, "batch": 4, "checkpoint_every": 4, "log_every": 2, "device": "cpu",
    "precision": "32", "threads": 1,
}  # fmt: skip


def write_parameters(repository: Path, folder: Path, **sections: dict[str, Any]) -> None:
    """The repository's ``params.yaml`` with a profile that fits the tiny store."""
    document = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    tiny: dict[str, dict[str, Any]] = {
        "training": TRAINING,
        "optical": {"epochs": 1},
        "distill": {"epochs": 1},
        # Absolute, because MLflow remembers stores by their address for as long as the process lives.
        "tracking": {"uri": f"sqlite:///{folder}/var/mlflow.db"},
    }
    for section, changes in sections.items():
        tiny[section] = {**tiny.get(section, {}), **changes}
    document["profiles"]["tiny"] = tiny
    document["profile"] = "tiny"
    (folder / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
