"""Small pipeline with the real one's shape, and deployments of it."""

from __future__ import annotations

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

from components.lib import cli
from components.lib.cli import REPORT
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.plan import read_plan
from components.lib.operations.records import Records
from components.runs.__main__ import main
from components.runs.environment import Environment
from components.runs.plan import plan
from components.runs.stage import run_stage
from tests.conftest import ROOT

STEP = "python components/steps/step.py"
META = {"image": "train", "cpu": 1, "memory": "1Gi", "gpu": 0}
GRAPH: dict[str, dict[str, Any]] = {
    "prepare": {
        "cmd": f"{STEP} prepare",
        "deps": ["components/steps", "components/download"],
        "params": ["world", "acquisitions", "profiles.${profile}.world"],
        "outs": ["data/prepared", "data/validated"],
        "metrics": [{"reports/prepare/metrics.json": {"cache": True}}],
        "meta": {**META, "retry": "data"},
    },
    "distill": {
        "foreach": "${distill.methods}",
        "do": {
            "cmd": f"{STEP} distill ${{item}}",
            "deps": ["data/prepared", "components/steps"],
            "outs": ["models/sar/${item}"],
            "plots": [{"reports/distill/${item}/curve.csv": {"x": "step", "y": "loss"}}],
            "meta": {**META, "retry": "train"},
        },
    },
    "evaluate": {
        "cmd": f"{STEP} evaluate",
        "deps": ["data/prepared", "models/sar", "reports/distill"],
        "params": ["evaluate"],
        "outs": ["reports/evaluate/table.txt", "reports/evaluate/report"],
        "meta": {**META, "retry": "train"},
    },
    "promote": {
        "cmd": f"{STEP} promote",
        "deps": ["reports/evaluate/table.txt", "reports/prepare/metrics.json"],
        "metrics": [{"reports/promote/decision.json": {"cache": True}}],
        "meta": {**META, "retry": "gate"},
    },
}
TRAINING: dict[str, dict[str, Any]] = {
    "train": {
        "cmd": "python components/steps/training.py",
        "deps": ["components/steps"],
        "outs": ["model"],
        "meta": {**META, "retry": "train"},
    }
}
PARAMS = {
    "profile": "small",
    "world": {"tiles": 3},
    "acquisitions": ["committed"],
    "distill": {"methods": ["one", "two"]},
    "evaluate": {"threshold": 0.5},
    "tracking": {"uri": "none"},
    "orchestration": {"lease_h": 72, "keep_runs": 5},
    "cost": {},
    "profiles": {
        "small": {"world": {"tiles": 2}, "acquisitions": {}},
        "other": {"world": {"tiles": 9}, "acquisitions": {}},
    },
}
STAGES = ("prepare", "distill@one", "distill@two", "evaluate", "promote")


@dataclass(frozen=True)
class World:
    """Deployment of the small pipeline: its code, its stores, its scratch."""

    root: Path
    objects_uri: str
    remote: str

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def objects(self) -> ObjectStore:
        return open_objects(self.objects_uri)

    @property
    def workspaces(self) -> Path:
        return self.root / "scratch"

    @property
    def executed(self) -> list[str]:
        """Commands that really ran."""
        count = self.root / "count"
        return count.read_text().splitlines() if count.exists() else []

    def variables(self) -> dict[str, str]:
        return {
            "STORMSIGHT_OBJECTS": self.objects_uri,
            "STORMSIGHT_REMOTE": self.remote,
            "STORMSIGHT_SOURCE": str(self.source),
            "STORMSIGHT_WORKSPACE": str(self.workspaces),
            "STORMSIGHT_IMAGE": "registry/train@sha256:0",
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "HOME": str(self.root / "home"),
            "COUNT": str(self.root / "count"),
            "PYTHONPATH": str(ROOT),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def environment(self, **changes: str) -> Environment:
        return Environment.read({**self.variables(), **changes})

    def records(self, run: str) -> Records:
        return Records(self.objects, read_plan(self.objects, run).key)

    def undo(self, *stages: str, run: str = "r1") -> None:
        """Remove the records of ``stages``, as if they had not been run."""
        for stage in stages:
            self.objects.delete(f"{self.records(run).prefix}/stages/{stage}.json")

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "components.runs", *arguments],
            cwd=ROOT,
            env={**os.environ, **variables},
        )

    def edit_params(self, **sections: Any) -> None:
        path = self.source / "params.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **sections}, sort_keys=False))


def through(world: World, run: str, stages: tuple[str, ...] = STAGES) -> None:
    """Plan a run and run its stages."""
    assert plan(world.environment(), run, force=True) == 0
    for stage in stages:
        assert run_stage(world.environment(), stage, run) == 0


def make_source(folder: Path) -> None:
    """Write the pipeline's files."""
    for name in ("components/steps", "components/download/catalogue", ".dvc"):
        (folder / name).mkdir(parents=True)
    for name in ("step.py", "training.py"):
        shutil.copyfile(ROOT / "tests" / "runs" / name, folder / "components" / "steps" / name)
    (folder / "components/download/catalogue/committed.yaml").write_text("id: committed\n")
    (folder / ".dvcignore").write_text("__pycache__/\n*.pyc\n")
    (folder / ".dvc" / "config").write_text("[core]\n    no_scm = true\n")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": GRAPH}, sort_keys=False))
    (folder / "params.yaml").write_text("# a comment\n" + yaml.safe_dump(PARAMS, sort_keys=False))


def plain_lock(source: Path, root: Path, variables: dict[str, str]) -> str:
    """Return dvc.lock of a plain ``dvc repro`` in a copy of ``source``."""
    shutil.copytree(source, root / "plain")
    subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "-q"],
        cwd=root / "plain",
        env={**os.environ, **variables},
        check=True,
    )
    return (root / "plain" / "dvc.lock").read_text()


def command(world: World, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and report of ``python -m components.runs ...``."""
    report = world.root / "report"
    report.unlink(missing_ok=True)
    os.environ[REPORT] = str(report)
    with pytest.raises(SystemExit) as caught:
        cli.run(lambda: main(list(arguments)))
    assert isinstance(caught.value.code, int)
    return caught.value.code, json.loads(report.read_text()) if report.exists() else {}
