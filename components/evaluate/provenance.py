"""Hashes and versions behind an evaluation's numbers."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from components.contract.documents import read_yaml
from components.contract.hashing import sha256_file
from components.contract.identity import data_hash, stage_code_hash, stage_params_hash

PACKAGES = ("torch", "segmentation-models-pytorch", "numpy", "rasterio", "shapely", "scipy", "pandas")


STAGE = "evaluate"
"""Address of the stage in dvc.yaml."""


def provenance(store: Path, models: Path, *, params: Path = Path("params.yaml")) -> list[tuple[str, str]]:
    """Return hashes and versions by name, in reading order.

    Code and parameters are those of this stage alone: its results are kept while others change.

    Args:
        store: Prepared store.
        models: Folder of all models; each weights file below it is named and hashed.
        params: Parameter file.
    """
    weights = {
        path.parent.relative_to(models).as_posix(): sha256_file(path)
        for path in sorted(models.rglob("weights.safetensors"))
    }
    return [
        ("Commit", _commit()),
        ("Profile", str(read_yaml(params).get("profile", ""))),
        ("Code of the scoring (SHA-256)", stage_code_hash(STAGE)),
        ("Parameters of the scoring (SHA-256)", stage_params_hash(STAGE, params)),
        ("Data (SHA-256)", data_hash(store)),
        *((f"Weights, {name} (SHA-256)", digest) for name, digest in weights.items()),
        ("Python", platform.python_version()),
        *((package, version(package)) for package in PACKAGES),
    ]


def _commit() -> str:
    """Return the commit checked out, marked where files differ from it; pods have no repository."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "not a git checkout"
