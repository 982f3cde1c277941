"""A tiny task with batch normalisation, dropout and NumPy noise; run as a module it trains and may die.

``python -m tests.lib.engine.tiny FOLDER [SIGNAL STEP]`` trains in FOLDER; at STEP it sends itself SIGNAL.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from components.lib.engine.loop import FitResult, OnLog, fit, seed_everything
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.task import TrainingTask

STEPS = 20


def parameters(**changes: Any) -> TrainingParameters:
    values: dict[str, Any] = {
        "encoder": "none", "encoder_weights": None, "decoder_channels": 8, "crop": 32, "batch": 4, "lr": 0.02,
        "momentum": 0.9, "weight_decay": 1e-4, "precision": "32", "device": "cpu", "seed": 3,
        "checkpoint_every": 5, "log_every": 3, "optimiser": "adamw", "schedule": "cosine",
        "warmup_share": 0.2, "clip_norm": 1.0, "average_share": 0.2,
    }  # fmt: skip
    return TrainingParameters(**{**values, **changes})


class TinyTask(TrainingTask):
    def __init__(self, signal_to_send: signal.Signals | None = None, at: int = -1) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(8, 2, 1)
        )
        self.register_buffer("rounds", torch.zeros(1))
        self.rounds: torch.Tensor
        self.signal_to_send, self.at = signal_to_send, at

    def before_step(self, step: int) -> None:
        self.rounds += step
        if step == self.at and self.signal_to_send is not None:
            os.kill(os.getpid(), self.signal_to_send)

    def losses(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        noise = float(np.random.random())  # noqa: NPY002 - the global state is what a checkpoint must keep
        image = batch["image"].float() / 255.0 + 0.1 * noise
        loss = nn.functional.cross_entropy(self.net(image), batch["target"][:, 0].long())
        penalty = 0.01 * self.net(image).square().mean()
        return {"loss": loss + penalty, "ce": loss, "penalty": penalty}


def batches(step: int) -> dict[str, np.ndarray[Any, Any]]:
    generator = np.random.default_rng([11, step])
    image = generator.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    return {"image": image, "target": (image[..., :1] > 128).astype(np.uint8)}


def train(folder: Path, task: TinyTask, *, on_log: OnLog | None = None, **changes: Any) -> FitResult:
    return fit(
        task,
        batches,
        parameters(**changes),
        STEPS,
        name="tiny",
        checkpoint_dir=folder,
        on_log=on_log,
        published=task.net,
    )


def seeded_task(signal_to_send: signal.Signals | None = None, at: int = -1) -> TinyTask:
    seed_everything(0)
    return TinyTask(signal_to_send, at)


if __name__ == "__main__":
    train(Path(sys.argv[1]), seeded_task(signal.Signals(int(sys.argv[2])), int(sys.argv[3])))
