"""One row with a seed: pre-training, training on clean labels, scores; folder, identity and stamp."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.experiments.grid import Variant
from components.experiments.identity import Key, StageGraph, Stamp, begin_attempt, current_stamp, stage_key
from components.experiments.parameters import ParameterOverlay
from components.experiments.pretrain.masks import MaskMaker
from components.experiments.pretrain.rows import Budget, Row
from components.experiments.processes import StageProcesses
from components.experiments.scoring import Scorer
from components.experiments.trial import SIGNATURE
from components.experiments.world import PREPARED, World, link
from components.lib.files import read_json, write_json, write_text

VAR = Path("var/pretrain-comparison")
REPORTS = Path("reports/pretrain_comparison")
PRETRAIN, OPTICAL = "components.pretrain", "components.optical"

_BY = "the comparison of pre-training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Things that all trials of a comparison share.

    Attributes:
        folder: Folder of all trials with this share of clean labels.
        parameters: Sections under the profile.
        graph: Declarations of the stages.
        processes: Runs the stages.
        world: The prepared store.
        scorer: Scores trained models on the test tiles.
        masks: Makes the masks.
        masks_sha256: Hash of the masks by degree of error.
        label_share: Share of the train tiles that have clean labels.
        budget: Steps of both stages.
    """

    folder: Path
    parameters: ParameterOverlay
    graph: StageGraph
    processes: StageProcesses
    world: World
    scorer: Scorer
    masks: MaskMaker
    masks_sha256: Mapping[str, str]
    label_share: float
    budget: Budget


class PretrainTrial:
    """A row with a seed, in ``<workshop.folder>/<row>/seed-<n>``.

    Args:
        workshop: Shared by all trials.
        row: Row of the table.
        seed: Seed of both trainings.
    """

    def __init__(self, workshop: Workshop, row: Row, seed: int) -> None:
        self.workshop, self.row, self.seed = workshop, row, seed
        self.folder = workshop.folder / row.name / f"seed-{seed}"
        self.work, self.log = self.folder / "work", self.folder / "trial.log"
        budget, kind = workshop.budget, row.kind
        first = row.noise is not None
        self.overrides: tuple[Mapping[str, Any], ...] = (
            {
                "training": {"seed": seed},
                "pretrain": {"kinds": [kind] if first else []},
                "optical": {
                    "kinds": [kind],
                    "start": "pretrain" if first else None,
                    "label_share": workshop.label_share,
                    "epochs": budget.optical_epochs if first else budget.clean_epochs,
                },
            },
        )

    def __str__(self) -> str:
        return f"{self.row.name}, seed {self.seed}"

    @property
    def method(self) -> Variant:
        """The row as the scorer takes it."""
        return Variant(
            name=self.row.name,
            label=self.row.label,
            group="source",
            command=None,
            model=f"optical/{self.row.kind}",
        )

    @property
    def bundle(self) -> Path:
        """Folder of the model that is scored."""
        return self.work / "models" / self.method.model

    def key(self) -> Key:
        """Return hashes of the code, the parameters, the store and the masks of the trainings."""
        noise = self.row.noise
        return {
            "optical": self._stage_key(OPTICAL),
            "pretrain": None if noise is None else self._stage_key(PRETRAIN),
            "masks": None if noise is None else self.workshop.masks_sha256[noise],
            "store": self.workshop.world.sha256,
        }

    def finished(self) -> Stamp | None:
        """Return the stamp with trainings and scores, if nothing they depend on has changed since."""
        stamp = current_stamp(self.folder / "trained.json", self.key())
        if stamp is None or not _is_model(self.bundle):
            return None
        tiles = self.workshop.scorer.scored(self, stamp["weights_sha256"], self.workshop.world)
        return None if tiles is None else {**stamp, "tiles": tiles}

    def finish(self) -> None:
        """Train and score, as far as that is not done; a killed training goes on from its checkpoint.

        Raises:
            StageFailedError: If a stage fails, naming the trial and its log.
        """
        if self.finished() is not None:
            return
        key = self.key()
        begin_attempt(self.folder / "begun.json", key, (self.work, self.log))
        write_text(self.work / "params.yaml", self.workshop.parameters.document(*self.overrides))
        link(self.workshop.world.store, self.work / PREPARED)
        if current_stamp(self.folder / "trained.json", key) is None or not _is_model(self.bundle):
            self._train(key)
        stamp = read_json(self.folder / "trained.json", made_by=_BY)
        self.workshop.scorer.score(self, stamp["weights_sha256"], self.workshop.world)

    def _train(self, key: Key) -> None:
        first = None
        if self.row.noise is not None:
            masks = self.workshop.masks
            link(masks.masks(self.row.noise), self.work / masks.place)
            # A first stage that is finished stays while the second one is repeated.
            stamped = self.folder / "pretrained.json"
            made = self.work / "models/pretrain" / self.row.kind
            if current_stamp(stamped, key) is None or not _is_model(made):
                self._run(PRETRAIN)
                write_json(stamped, {"key": key})
            first = self._details("pretrain")
        self._run(OPTICAL)
        signature = read_json(self.bundle / SIGNATURE, made_by=_BY)
        write_json(
            self.folder / "trained.json",
            {
                "key": key,
                "row": self.row.name,
                "seed": self.seed,
                "weights_sha256": signature["weights_sha256"],
                "pretraining": first,
                "training": self._details("optical"),
            },
        )

    def _details(self, stage: str) -> dict[str, Any]:
        found: dict[str, Any] = read_json(
            self.work / "reports" / stage / self.row.kind / "details.json", made_by=_BY
        )
        return found

    def _stage_key(self, module: str) -> Key:
        command = (module, "--kind", self.row.kind)
        return stage_key(self.workshop.graph, command, self.workshop.parameters, self.overrides)

    def _run(self, module: str) -> None:
        command = [sys.executable, "-m", module, "--kind", self.row.kind]
        self.workshop.processes.run(command, self.work, self.log, label=str(self))


def _is_model(folder: Path) -> bool:
    return (folder / SIGNATURE).exists()
