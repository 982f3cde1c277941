"""Kills of the services around the graph: a stage of a run, and housekeeping's pruning."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from components.contract.keys import PRUNED
from components.housekeeping.parameters import Places, Policy
from components.housekeeping.prune import prune
from components.lib.cli import run
from components.lib.monitoring.pruned import read_pruned
from components.lib.objects.opening import open_objects
from components.runs.plan import plan
from components.runs.stage import run_stage
from tests.campaign.readers.kills import Killed, content
from tests.housekeeping.history import History
from tests.runs.pipeline import World, make_source

RUN, STAGES = "r1", ("prepare", "distill@one")


class KilledRun(Killed):
    """A run of a small pipeline: its plan, and two stages in workspaces of their own."""

    name = "kill-runs"

    def make_inputs(self, folder: Path) -> None:
        """Write the pipeline."""
        make_source(folder / "source")
        (folder / "home").mkdir()

    def work(self) -> None:
        """Plan and run; what an earlier attempt has finished is not run again."""

        def main() -> None:
            here = Path.cwd()
            world = World(here, str(here / "objects"), str(here / "remote"))
            os.environ.update(world.variables())
            code = plan(world.environment(), RUN, force=True)
            for stage in STAGES:
                code = code or run_stage(world.environment(), stage, RUN)
            raise SystemExit(code)

        run(main)

    def result(self, folder: Path) -> Any:
        """Data in the remote, and the records of stages by name."""
        data = content(folder / "remote", without=("runs",))
        records = sorted(path.name for path in (folder / "objects").rglob("stages/*.json"))
        return {**data, **dict.fromkeys(records, "there")}


class KilledPrune(Killed):
    """``housekeeping prune`` of five trainings down to one."""

    name = "kill-prune"
    now: datetime

    def make_inputs(self, folder: Path) -> None:
        """Play trainings into stores."""
        history = History(_places(folder))
        for word in ("one", "two", "three", "four", "five"):
            history.training(word)
        self.now = history.now

    def work(self) -> None:
        """Prune as the command does, by the history's clock."""

        def main() -> None:
            policy = Policy(
                keep_runs=1, keep_gb=None, keep_cache_days=90, keep_deliveries_days=30, abandoned_h=72
            )
            prune(_places(Path.cwd()), policy, dry_run=False, clock=lambda: self.now)

        run(main)

    def result(self, folder: Path) -> Any:
        """All that is kept, byte by byte; of the pruned trainings their counts.

        Runs are named beside the counts until the pruning after the one that removed their last object,
        so that a rerun after a kill names fewer.
        """
        counts = read_pruned(_places(folder).objects).counts
        return {**content(folder, without=(f"objects/{PRUNED}",)), PRUNED: counts}


def _places(folder: Path) -> Places:
    return Places(open_objects(str(folder / "objects")), open_objects(str(folder / "remote")), folder)
