"""The evicted stage once more, on this machine and left in peace: what should have come of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from components.lib.files import sha256_file
from tests.cluster.endpoints import base_environment
from tests.cluster.lab import BUCKET
from tests.cluster.pipeline import Pipeline
from tests.cluster.scenarios import MODEL

INPUTS = ("data/prepared", "models/sar/disoptnet")
OUTPUT = "models/adapted"


def weights(pipeline: Pipeline, lock: str, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Hashes of the weights of ``MODEL``: those of the run with this dvc.lock, and those made here."""
    kept = _workspace(pipeline, lock, folder / "kept")
    _run(pipeline, kept, "dvc", "pull", "--quiet", OUTPUT)
    here = _workspace(pipeline, lock, folder / "here")
    _run(pipeline, here, "dvc", "pull", "--quiet", *INPUTS)
    _run(pipeline, here, f"components.{MODEL}")
    return _hashes(kept / OUTPUT), _hashes(here / OUTPUT)


def _hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.rglob("*.safetensors"))}


def _workspace(pipeline: Pipeline, lock: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("components", ".dvc"):
        shutil.copytree(pipeline.code / name, folder / name)
    shutil.copyfile(pipeline.code / "dvc.yaml", folder / "dvc.yaml")
    (folder / "dvc.lock").write_text(lock)
    params: dict[str, Any] = yaml.safe_load((pipeline.code / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump({**params, "profile": "smoke"}))
    remote = f"[core]\n    no_scm = true\n    remote = lab\n['remote \"lab\"']\n    url = s3://{BUCKET}/dvc\n"
    (folder / ".dvc" / "config.local").write_text(remote)
    return folder


def _run(pipeline: Pipeline, folder: Path, *arguments: str) -> None:
    environment = {
        **base_environment(),
        **pipeline.s3.environment,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
