"""Kills of what keeps models: MLflow's first seconds, and a promotion."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from components.lib.cli import run
from components.lib.config.scoring import ScoringSettings
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.store.store import Store
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.lib.tracking.run import track_run
from components.promote.buildings import decide_buildings
from components.promote.ground import BuildingGround
from components.promote.history import verify
from components.promote.reproduce import Reproduction, score_digest
from components.promote.scores import CleanTestScores
from tests.campaign.processes import run_forked
from tests.campaign.readers.kills import Killed
from tests.campaign.verdicts import Ended
from tests.lib.tracking.local_store import local_store
from tests.promote.world import FINDS, settings, write_control, write_model, write_world

SAR = "stormsight-sar"
TRACKING = TrackingParameters(uri="sqlite:///var/mlflow.db", artifacts="var/mlartifacts")


class KilledTracking(Killed):
    """The first tracked run of a checkout, which makes MLflow's tables."""

    name = "kill-tracking"

    def make_inputs(self, folder: Path) -> None:
        """Nothing is there yet."""

    def work(self) -> None:
        """Track a run."""

        def main() -> None:
            Path("var").mkdir(exist_ok=True)
            with track_run(TRACKING, "a", {"lr": 0.1}, {"simulated": "true"}) as tracked:
                tracked.log_metrics({"loss": 1.0}, 1)
            Path("runs.json").write_text(json.dumps(tracked.run_id is not None))

        run(main)

    def wrong(self, ended: Ended) -> str | None:
        """Tracking must not be off."""
        off = "tracking is off" in ended.stderr
        return super().wrong(ended) or ("all later runs go untracked: tracking is off" if off else None)

    def result(self, folder: Path) -> Any:
        """True if the last run is tracked."""
        return json.loads((folder / "runs.json").read_text())


class KilledPromotion(Killed):
    """``promote`` of a first champion, the fresh process replaced by this one."""

    name = "kill-promote"

    def make_inputs(self, folder: Path) -> None:
        """Write a store, a control, a model that finds the buildings, and MLflow's empty tables."""
        root = folder / "checkout"
        write_world(root)

        def models() -> None:
            torch.set_num_threads(1)
            write_control()
            write_model(Path("models/adapted"), FINDS)

        ended = run_forked(models, root, limit_s=60)
        assert ended.code == 0, ended.stderr
        local_store(root / "var")
        for path in [*root.iterdir()]:
            shutil.move(path, folder / path.name)
        root.rmdir()

    def work(self) -> None:
        """Decide."""

        def main() -> None:
            torch.set_num_threads(1)
            decide_buildings(replace(settings(TRACKING), reproducer=_here), (SAR,))

        run(main)

    def result(self, folder: Path) -> Any:
        """The decision, the champion and the ledger's length; a broken ledger says so."""
        decision = json.loads((folder / "reports/promote/decision.json").read_text())["models"][SAR]

        def champion() -> None:
            connection, ledgers = connect(TRACKING), open_ledgers("var/ledger")
            print(ChampionRegistry(connection, ledgers, SAR).current())
            print(verify(connection, ledgers, (SAR,), repair=False))

        told = run_forked(champion, folder, limit_s=60)
        return [decision["outcome"], told.stdout, told.code]


def _here(folder: Path, expected: CleanTestScores, device: str) -> Reproduction:
    scoring: ScoringSettings = settings(TRACKING).scoring
    ground = BuildingGround(store=Store.open(Path("data/prepared")), scoring=scoring, device=device)
    answer = score_digest(folder, ground)
    return Reproduction(answer["digest"] == expected.digest, "scored here")
