"""Kills of the stages behind the trainings: scores and their report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.campaign.processes import command, run_forked
from tests.campaign.readers.kills import Killed, content
from tests.campaign.world import ROOT, write_parameters
from tests.evaluate.finished import write_models
from tests.evaluate.worlds import write_tiny_store


class KilledEvaluate(Killed):
    """``evaluate`` of four untrained networks on eight tiles."""

    name = "kill-evaluate"

    def make_inputs(self, folder: Path) -> None:
        """Write store, models, curves and parameters."""
        write_tiny_store(folder / "data/prepared", tiles=8, empty=(2,))
        ended = run_forked(lambda: write_models(Path("models")), folder, limit_s=60)
        assert ended.code == 0, ended.stderr
        for run in ("optical/deeplabv3plus", "distill/none"):
            curve = folder / "reports" / run / "curve.csv"
            curve.parent.mkdir(parents=True)
            curve.write_text("step,lr,loss\n1,0.1,2.5\n2,0.1,2.0\n")
        write_parameters(
            folder / "params.yaml",
            report={"stability": str(ROOT / ".assets/evidence/evidence.json")},
        )

    def work(self) -> None:
        """Evaluate."""
        command("components.evaluate")()

    def result(self, folder: Path) -> Any:
        """All that lies below reports."""
        return content(folder / "reports")


class KilledReport(KilledEvaluate):
    """``report`` of that evaluation."""

    name = "kill-report"

    def make_inputs(self, folder: Path) -> None:
        """Evaluate first."""
        super().make_inputs(folder)
        ended = run_forked(command("components.evaluate"), folder, limit_s=120)
        assert ended.code == 0, ended.stderr

    def work(self) -> None:
        """Draw the report."""
        command("components.report")()
