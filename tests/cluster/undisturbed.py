"""The evicted training run undisturbed on this machine: the weights that the resumed one has to equal."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.contract.graph.lock import render_lock
from components.contract.hashing import sha256_file
from tests.cluster.endpoints import base_environment
from tests.cluster.lab import BUCKET
from tests.cluster.pipeline import PREFIX, Pipeline

MODEL = "adapt"
"""Stage whose training is evicted."""

UPSTREAM = {
    "prepare@p00": ("data/prepared/layers/p00", "data/prepared/tables/p00"),
    "split": ("data/prepared/index.parquet", "data/prepared/partitions.json"),
    "distill@concord": ("models/sar/concord",),
}
"""Inputs of the training, by the stage that makes them."""

OUTPUT = "models/adapted"


@dataclass(frozen=True)
class Undisturbed:
    """The stage running in a workspace of its own, in the background.

    Attributes:
        pipeline: Source of its inputs.
        folder: The workspace.
        process: The running command.
    """

    pipeline: Pipeline
    folder: Path
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, pipeline: Pipeline, key: str, folder: Path) -> Undisturbed:
        """Pull the outputs of the stages before it for ``key``, and train."""
        workspace = _workspace(pipeline, key, list(UPSTREAM), folder)
        inputs = [path for paths in UPSTREAM.values() for path in paths]
        return cls(pipeline, workspace, _start(pipeline, workspace, _pull(inputs), _train()))

    def weights(self) -> dict[str, str]:
        """Return the hashes of the weights it made."""
        _finish(self.process)
        return _hashes(self.folder / OUTPUT)


def kept_weights(pipeline: Pipeline, key: str, folder: Path) -> dict[str, str]:
    """Return the hashes of the weights that the run of ``key`` made."""
    workspace = _workspace(pipeline, key, [MODEL], folder)
    _finish(_start(pipeline, workspace, _pull([OUTPUT])))
    return _hashes(workspace / OUTPUT)


def _workspace(pipeline: Pipeline, key: str, stages: list[str], folder: Path) -> Path:
    """Make a workspace with the code, the parameters, and the lock entries of ``stages``."""
    folder.mkdir(parents=True)
    for name in ("components", ".dvc"):
        shutil.copytree(pipeline.code / name, folder / name)
    shutil.copyfile(pipeline.code / "dvc.yaml", folder / "dvc.yaml")
    params: dict[str, Any] = yaml.safe_load((pipeline.code / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump({**params, "profile": "smoke"}))
    (folder / "params.lock").write_text(render_lock(folder / "dvc.yaml", folder / "params.yaml"))
    entries = {stage: _lock_entry(pipeline, key, stage) for stage in stages}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))
    remote = f"[core]\n    no_scm = true\n    remote = lab\n['remote \"lab\"']\n    url = s3://{BUCKET}/dvc\n"
    (folder / ".dvc" / "config.local").write_text(remote)
    return folder


def _lock_entry(pipeline: Pipeline, key: str, stage: str) -> Any:
    return json.loads(pipeline.s3.read(BUCKET, f"{PREFIX}work/{key}/stages/{stage}.json"))["lock"]


def _pull(paths: Any) -> list[str]:
    return [sys.executable, "-m", "dvc", "pull", "--quiet", *paths]


def _train() -> list[str]:
    return [sys.executable, "-m", f"components.{MODEL}"]


def _start(pipeline: Pipeline, folder: Path, *commands: list[str]) -> subprocess.Popen[str]:
    environment = {
        **base_environment(),
        **pipeline.s3.environment,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "OMP_NUM_THREADS": "1",
    }
    script = " && ".join(shlex.join(command) for command in commands)
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", script],
            cwd=folder,
            env=environment,
            text=True,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _finish(process: subprocess.Popen[str]) -> None:
    assert process.wait() == 0, f"{process.args!r}: see the log in its folder"


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.rglob("*.safetensors"))}
