"""One training of the comparison with its scores: folder, identity and stamp."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.experiments.change.rows import Row
from components.experiments.identity import Key, StageGraph, Stamp, begin_attempt, current_stamp, stage_key
from components.experiments.parameters import ParameterOverlay
from components.experiments.processes import StageProcesses
from components.experiments.world import link
from components.lib.files import read_json, write_json, write_text

VAR = Path("var/change-comparison")
REPORTS = Path("reports/change_comparison")

CONFIDENCE = 0.95
"""Confidence of the intervals over scenes."""

TRAIN, SCORE = "components.change", "components.evaluate.change"
"""Modules of the stages that train and score."""

_BY = "the comparison of change networks"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairData:
    """Store of pairs that all trials read.

    Attributes:
        folder: Folder of the store.
        data_set: Name of its data set.
        sha256: Hash over names and contents of its files.
    """

    folder: Path
    data_set: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Things that all trials of a comparison share.

    Attributes:
        folder: Folder of all trials.
        parameters: Sections under the profile.
        graph: Declarations of the stages.
        processes: Runs the stages.
        pairs: Pairs of dates.
    """

    folder: Path
    parameters: ParameterOverlay
    graph: StageGraph
    processes: StageProcesses
    pairs: PairData


class ChangeTrial:
    """A row with a seed, in ``<workshop.folder>/<row>/seed-<n>``.

    Args:
        workshop: Shared by all trials.
        row: Row of the table.
        seed: Seed of the training.
    """

    def __init__(self, workshop: Workshop, row: Row, seed: int) -> None:
        self.workshop, self.row, self.seed = workshop, row, seed
        self.folder = workshop.folder / row.name / f"seed-{seed}"
        self.work, self.log = self.folder / "work", self.folder / "trial.log"
        self.overrides: tuple[Mapping[str, Any], ...] = (
            row.overrides,
            {"training": {"seed": seed}, "change": {"methods": [row.method]}},
        )

    def __str__(self) -> str:
        return f"{self.row.name}, seed {self.seed}"

    def training_key(self) -> Key:
        """Return hashes of the code, the parameters and the pairs on which the training depends."""
        return {**self._stage_key(TRAIN), "pairs": self.workshop.pairs.sha256}

    def key(self) -> Key:
        """Return hashes of all on which training and scores depend."""
        return {"training": self.training_key(), "scores": self._stage_key(SCORE)}

    def finished(self) -> Stamp | None:
        """Return the stamp with training and scores, if nothing they depend on has changed since."""
        return current_stamp(self.folder / "finished.json", self.key())

    def finish(self) -> Stamp:
        """Train and score, as far as that is not done; a killed training goes on from its checkpoint.

        Raises:
            StageFailedError: If a stage fails, naming the trial and its log.
        """
        found = self.finished()
        if found is not None:
            return found
        key, training = self.key(), self.training_key()
        begin_attempt(self.folder / "begun.json", training, (self.work, self.log))
        write_text(self.work / "params.yaml", self.workshop.parameters.document(*self.overrides))
        link(self.workshop.pairs.folder, self.work / "data/pairs" / self.workshop.pairs.data_set)
        if current_stamp(self.folder / "trained.json", training) is None:
            self._run(TRAIN)
            write_json(self.folder / "trained.json", {"key": training})
        self._run(SCORE)
        reports = self.work / "reports"
        stamp = {
            "key": key,
            "row": self.row.name,
            "seed": self.seed,
            "training": read_json(reports / "change" / self.row.method / "details.json", made_by=_BY),
            "scores": read_json(reports / "evaluate_change" / self.row.method / "details.json", made_by=_BY),
        }
        write_json(self.folder / "finished.json", stamp)
        return stamp

    def _stage_key(self, module: str) -> Key:
        command = (module, "--method", self.row.method)
        return stage_key(self.workshop.graph, command, self.workshop.parameters, self.overrides)

    def _run(self, module: str) -> None:
        command = [sys.executable, "-m", module, "--method", self.row.method]
        self.workshop.processes.run(command, self.work, self.log, label=str(self))
