"""Distils a tiny student through ``fit``; ``torchrun`` shares its batches between processes.

``python -m tests.lib.engine.shared_batch FOLDER STOP_AT DROPOUT`` trains, is asked to stop at that step (the
last process alone; -1: never), continues, and leaves stopped.RANK, curve.RANK.json and weights.RANK.pt.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed, nn

from components.lib.engine.loop import fit
from components.lib.engine.progress import Record
from components.lib.engine.ranks import ranks
from components.lib.engine.task import TrainingTask
from components.lib.losses.distillation import feature_mse
from components.lib.losses.segmentation import segmentation_loss
from components.lib.methods.disoptnet import pixelwise_distillation
from tests.lib.engine.tiny import parameters

STEPS = 6


def encoder() -> nn.Sequential:
    """With a pooled feature, of which each crop has a single value per channel."""
    return nn.Sequential(
        nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), Pooled(), nn.Conv2d(8, 8, 1)
    )


class Pooled(nn.Module):
    """Adds the image's normalised mean to every pixel, as DeepLab's pooling branch does."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean: torch.Tensor = self.norm(x.mean((2, 3), keepdim=True))
        return x + 0.1 * mean


class SharedBatchTask(TrainingTask):
    """Teacher and student, a Dice of the whole batch, an unused layer: all that could go wrong."""

    def __init__(self, stop_at: int = -1, dropout: float = 0.0) -> None:
        super().__init__()
        self.stop_at = stop_at
        self.dropout = nn.Dropout2d(dropout)
        torch.manual_seed(1)
        self.encoder = encoder()
        self.head = nn.Conv2d(8, 2, 1)
        self.unused = nn.Conv2d(4, 4, 1)
        self.outside = (encoder().eval().requires_grad_(False),)

    def before_step(self, step: int) -> None:
        if step == self.stop_at and ranks().rank == ranks().world - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def losses(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            taught = self.outside[0](batch["optical"].double() / 255)
        own = self.encoder(batch["sar"].double() / 255)
        labels = batch["target"][:, 0]
        terms = {
            "seg": segmentation_loss(self.head(self.dropout(own)), labels, ignore_index=2),
            "pw": pixelwise_distillation(self.head(own), self.head(taught).detach()),
            "features": feature_mse({"f": own}, {"f": taught}, ["f"], labels > 0),
        }
        return {"loss": torch.stack(list(terms.values())).sum(), **terms}


def batches(step: int) -> dict[str, np.ndarray[Any, Any]]:
    """Halves that differ in brightness and in buildings."""
    generator = np.random.default_rng(step)
    layers = {name: generator.integers(0, 256, (4, 32, 32, 4), dtype=np.uint8) for name in ("sar", "optical")}
    layers["sar"][:2] //= 3
    return {**layers, "target": layers["sar"][..., :3] // 86}


def train(folder: Path, stop_at: int = -1, dropout: float = 0.0) -> None:
    # In 64 bits: training multiplies rounding errors.
    task = SharedBatchTask(stop_at, dropout).double()
    task.outside[0].double()

    def note(step: int, record: Record) -> None:
        with (folder / "logged.txt").open("a") as handle:
            handle.write(f"{step}\n")

    result = fit(
        task,
        batches,
        parameters(lr=0.01, log_every=2, checkpoint_every=100),
        STEPS,
        name="shared",
        checkpoint_dir=folder / "checkpoint",
        on_log=note,
    )
    rank = ranks().rank
    (folder / f"curve.{rank}.json").write_text(json.dumps(result.history))
    torch.save(task.state_dict(), folder / f"weights.{rank}.pt")


if __name__ == "__main__":
    torch.set_num_threads(1)
    target, stop, dropped = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    try:
        train(target, stop, dropped)
    except SystemExit as leave:
        (target / f"stopped.{ranks().rank}").write_text(str(leave.code))
        if not ranks().is_single:
            distributed.barrier()  # Processes that are started anew find the checkpoint written.
        train(target, dropout=dropped)
