"""Kills of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.campaign.readers.kills import Killed
from tests.lib.engine.tiny import seeded_task, train


class KilledTraining(Killed):
    """The training loop with checkpoints, on a tiny network."""

    name = "kill-training"

    def make_inputs(self, folder: Path) -> None:
        """A training draws its own batches."""

    def work(self) -> None:
        """Train, with a checkpoint every five steps; write the weights."""
        torch.set_num_threads(1)
        task = seeded_task()
        train(Path("checkpoints"), task)
        torch.save(task.state_dict(), "weights.partial")
        Path("weights.partial").rename("weights.pt")

    def result(self, folder: Path) -> Any:
        """The weights, value by value."""
        state = torch.load(folder / "weights.pt", weights_only=True)
        return {name: value.flatten().tolist() for name, value in state.items()}
