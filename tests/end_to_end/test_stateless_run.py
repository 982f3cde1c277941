"""From a landed acquisition to the gate, each step a command of its own, as the orchestrator runs them."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.runs.workspace import EVIDENCE
from tests.end_to_end.conftest import Checkout

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RUN = "asset_triggered__2026-11-20T03:00:00+00:00"
STAGES = (
    "download@p00",
    "validate@p00",
    "verdict",
    "prepare@p00",
    "split",
    "optical@deeplabv3plus",
    "control",
    "distill@concord",
    "adapt",
    "evaluate",
    "report",
    "promote",
)
SMALLEST: dict[str, dict[str, Any]] = {
    "world": {"tiles": 12, "tile_px": 128},
    "training": {"decoder_channels": 16, "crop": 64, "batch": 4, "checkpoint_every": 2, "log_every": 2},
    "optical": {"epochs": 1, "crops_per_tile": 1},
    "distill": {"epochs": 1, "crops_per_tile": 1},
    "adapt": {"epochs": 1, "crops_per_tile": 1, "rounds": 1},
    "evaluate": {"pictures": 1},
    # A few blocks: for tests of the machinery only, no verdict on a model.
    "scoring": {"block_m": 50.0},
    "promote": {"min_blocks": 2, "floor": 0.001, "min_control_gain": None, "min_slice_blocks": 2},
}


@dataclass(frozen=True)
class Deployment:
    """A checkout, and state that no command shares but through the object store."""

    source: Path
    state: Path

    def command(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and report of ``python -m components...``."""
        report = self.state / "report"
        report.unlink(missing_ok=True)
        outer = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "STORMSIGHT_", "DVC_"))}
        own = {
            "STORMSIGHT_OBJECTS": str(self.state / "objects"),
            "STORMSIGHT_LANDING": str(self.state / "landing"),
            "STORMSIGHT_REMOTE": str(self.state / "remote"),
            "STORMSIGHT_WORKSPACE": str(self.state / "scratch"),
            "STORMSIGHT_REPORT": str(report),
        }
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.source,
            env={**outer, **own},
            text=True,
            capture_output=True,
            check=False,
        )
        print(done.stdout + done.stderr)
        return done.returncode, json.loads(report.read_text()) if report.exists() else {}


@pytest.fixture(scope="module")
def deployment(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The smallest world there is, in a checkout that no run has touched."""
    root = tmp_path_factory.mktemp("stateless")
    source = root / "source"
    for name in ("components", "dvc.yaml", "params.yaml", ".dvcignore", ".dvc/config", EVIDENCE):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (checkout.root / name).is_dir() else shutil.copyfile)(
            checkout.root / name, target
        )
    compileall.compile_dir(source / "components", quiet=2)  # as an image has it; workspaces copy it
    params = yaml.safe_load((source / "params.yaml").read_text())
    params["profiles"]["smoke"] |= SMALLEST
    (source / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    return Deployment(source, root / "state")


def test_from_landing_to_the_gate(deployment: Deployment) -> None:
    run = deployment.command
    assert run("components.runs", "plan", "--run", RUN)[0] == 99, "nothing has landed"
    assert run("components.acquisitions", "land", "--id", "flight-7", "--tiles", "12")[0] == 0
    assert run("components.acquisitions", "register")[0] == 0
    code, planned = run("components.runs", "plan", "--run", RUN)
    assert (code, planned["result"]["acquisitions"]) == (0, ["flight-7"])
    for stage in STAGES:
        code, told = run("components.runs", "stage", stage, "--run", RUN)
        assert code == 0, told
    code, told = run("components.runs", "finish", "--run", RUN)
    assert (code, told["result"]["outcome"]) == (0, "succeeded")
    promoted = told["result"]["promoted"]
    code, told = run("components.runs", "gate", "--run", RUN)
    assert code == (0 if promoted else 77), told

    key = planned["result"]["key"]
    record = json.loads((deployment.state / "objects" / "work" / key / "record.json").read_text())
    assert record["simulated"] is True
    assert set(record["stages"]) == set(STAGES)
    assert [item["id"] for item in record["acquisitions"]] == ["flight-7"]
    # A few steps may find no building: that is refused, first model or not.
    outcome = record["decision"]["models"]["stormsight-sar"]["outcome"]
    assert outcome == ("promoted" if promoted else "refused")
    assert run("components.promote", "verify")[0] == 0
    assert run("components.runs", "plan", "--run", "scheduled")[0] == 99, "trained once"
    assert list((deployment.state / "scratch").iterdir()) == []
