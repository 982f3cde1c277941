"""A store of two sensors over toy ground: bright squares on one, the same much darker on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import yaml

from components.adapt.parameters import AdaptParameters
from components.adapt.train import prepare_run, publish_unchanged
from components.lib.engine.loop import fit
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.run import train_and_publish
from components.lib.engine.supervised import SupervisedTask
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.layout import write_store
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters

SOURCE, TARGET = "simulated-airborne", "simulated-spaceborne"
SIDE = 96
SPLITS = ("train",) * 6 + ("selection",) * 2 + ("test",)
UInt8 = npt.NDArray[np.uint8]


def tiles(seed: int, gain: float, offset: float, noise: float) -> tuple[UInt8, UInt8]:
    """SAR (N, H, W, 4) with a no-data border on the right, and targets (N, H, W, 3)."""
    random = np.random.default_rng(seed)
    target = np.zeros((len(SPLITS), SIDE, SIDE, 3), np.uint8)
    for n in range(len(SPLITS)):
        for _ in range(4):
            y, x = random.integers(2, SIDE - 30, 2)
            target[n, y : y + 22, x : x + 22, 0] = 1
    clean = 60 + 100 * target[..., :1].astype(np.float64)
    sar = offset + gain * clean + random.normal(0, noise, (*target.shape[:3], 4))
    stored: UInt8 = np.clip(sar, 1, 255).astype(np.uint8)
    stored[:, :, -6:] = 0
    return stored, target


def index_of(sensor: str, *, optical: bool, splits: tuple[str, ...] = SPLITS) -> pd.DataFrame:
    n = len(splits)
    return pd.DataFrame(
        {
            "acquisition": f"toy-{sensor}",
            "sensor": sensor,
            "image_id": [f"{sensor}_tile_{i}" for i in range(n)],
            "strip": "20190804000000_20190804000100",
            "tile": range(n),
            "orientation": 0,
            "row": range(n),
            "x_left_m": [591600.0 + 48 * i for i in range(n)],
            "y_top_m": 5750000.0,
            "gsd_m": 0.5,
            "height": SIDE,
            "width": SIDE,
            "split": splits,
            "kang": [split == "test" for split in splits],
            "clean": [split == "test" for split in splits],
            "nodata_share": 0.06,
            "n_buildings": 4,
            "has_optical": optical,
        }
    )


def make_store(folder: Path, *, poisoned: bool = False, target_splits: tuple[str, ...] = SPLITS) -> Store:
    """Write and open the store; ``poisoned`` fills the target's labels of the training split with lies."""
    sar_s, target_s = tiles(1, gain=1.0, offset=0.0, noise=12.0)
    sar_t, target_t = tiles(2, gain=0.35, offset=-10.0, noise=6.0)
    if poisoned:
        train = [i for i, split in enumerate(target_splits) if split == "train"]
        target_t[train] = 1 - target_t[train]
    index = pd.concat([index_of(SOURCE, optical=True), index_of(TARGET, optical=False, splits=target_splits)])
    layers = {
        (SOURCE, "sar"): sar_s,
        (SOURCE, "target"): target_s,
        (SOURCE, "optical"): sar_s,
        (TARGET, "sar"): sar_t,
        (TARGET, "target"): target_t,
    }
    write_store(folder / "data/prepared", index, pd.DataFrame(), layers)
    return Store.open(folder / "data/prepared")


def training(**changes: Any) -> TrainingParameters:
    values: dict[str, Any] = {
        "encoder": "timm-mobilenetv3_small_minimal_100", "encoder_weights": None, "decoder_channels": 16,
        "crop": 64, "batch": 4, "lr": 0.02, "momentum": 0.9, "weight_decay": 1e-4, "precision": "32",
        "device": "cpu", "seed": 3, "checkpoint_every": 4, "log_every": 2,
    }  # fmt: skip
    return TrainingParameters(**{**values, **changes})


def make_start(folder: Path, store: Store, *, kind: str = "disoptnet", steps: int = 0) -> SegmentationNetwork:
    """Publish ``models/sar/<kind>``, trained on the source for ``steps`` steps."""
    torch.manual_seed(4)
    net = build_network(
        NetworkConfig(
            kind=kind,
            encoder=training().encoder,
            decoder_channels=16,
            sensors=(SOURCE,),
            input_mean=(80.0,) * 4,
            input_std=(40.0,) * 4,
        )
    )
    if steps:
        sampler = CropSampler(
            store, SOURCE, store.rows(SOURCE, "train"), ("sar", "target"), crop=64, batch=4, seed=1
        )
        fit(
            SupervisedTask(net),
            sampler.batch,
            training(lr=0.1, log_every=1000),
            steps,
            name="start",
            checkpoint_dir=folder / "var/start",
        )
    save_bundle(folder / "models/sar" / kind, net, {"stage": "distill"})
    return net


def adapt(
    parameters: AdaptParameters, chosen: TrainingParameters, tracking: TrackingParameters
) -> dict[str, Any]:
    """Do in the working directory what the stage's command does."""
    if parameters.target is None:
        return publish_unchanged(parameters)
    store = Store.open(Path("data/prepared"))
    return train_and_publish(prepare_run(store, chosen, parameters), tracking)


def write_parameters(repository: Path, folder: Path, **adapt: Any) -> None:
    """The repository's ``params.yaml`` with a profile that fits the toy store."""
    document = yaml.safe_load((repository / "params.yaml").read_text(encoding="utf-8"))
    document["profile"] = "toy"
    document["profiles"]["toy"] = {
        "training": {**training().model_dump(mode="json"), "schedule": "plain"},
        "adapt": {"epochs": 2, "crops_per_tile": 4, **adapt},
        # Absolute, because MLflow remembers stores by their address for as long as the process lives.
        "tracking": {"uri": f"sqlite:///{folder}/var/mlflow.db"},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
