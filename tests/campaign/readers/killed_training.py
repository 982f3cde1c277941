"""Kills of trainings: the loop by itself, and the stages that train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import torch

from tests.adapt import two_sensors
from tests.campaign.processes import command, run_forked
from tests.campaign.readers.kills import Killed, content
from tests.campaign.world import ROOT
from tests.lib.engine.tiny import seeded_task, train
from tests.lib.engine.tiny_store import make_store, write_parameters

UNTRACKED: dict[str, str | None] = {"MLFLOW_TRACKING_URI": "none"}
"""Environment of the trainings: kills of tracking are a reader of their own."""


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


class KilledStage(Killed):
    """A stage that trains, as its command: the bundle and the report must be as undisturbed."""

    variables = UNTRACKED
    arguments: ClassVar[tuple[str, ...]]
    """Module and arguments of the command."""

    def make_inputs(self, folder: Path) -> None:
        """Write a store of ten training tiles, and parameters for one epoch on them."""
        make_store(folder / "data/prepared")
        write_parameters(ROOT, folder)

    def work(self) -> None:
        """Train."""
        command(*self.arguments)()

    def result(self, folder: Path) -> Any:
        """Models and reports; of the numbers those that say nothing of time."""
        found = content(folder, without=("data", "reports"))
        for path in sorted((folder / "reports").rglob("*.json")):
            document = json.loads(path.read_text())
            found[path.relative_to(folder).as_posix()] = json.dumps(_timeless(document), sort_keys=True)
        return found


class KilledOptical(KilledStage):
    """``optical``: a teacher."""

    name = "kill-optical"
    arguments = ("components.optical",)


class KilledDistill(KilledStage):
    """``distill``: a student of an untrained teacher."""

    name = "kill-distill"
    arguments = ("components.distill", "--method", "disoptnet")

    def make_inputs(self, folder: Path) -> None:
        """Train the teacher."""
        super().make_inputs(folder)
        ended = run_forked(command("components.optical"), folder, variables=self.variables, limit_s=120)
        assert ended.code == 0, ended.stderr


class KilledAdapt(KilledStage):
    """``adapt``: from one sensor to the other."""

    name = "kill-adapt"
    arguments = ("components.adapt",)

    def make_inputs(self, folder: Path) -> None:
        """Write a store of two sensors and an untrained student."""
        two_sensors.make_start(folder, two_sensors.make_store(folder))
        two_sensors.write_parameters(ROOT, folder, start_from="disoptnet", epochs=1)


def _timeless(value: Any) -> Any:
    """Return a report without durations and rates."""
    if isinstance(value, dict):
        return {
            key: _timeless(inner)
            for key, inner in value.items()
            if not any(word in key for word in ("second", "time", "rate", "_s", "memory"))
        }
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value
