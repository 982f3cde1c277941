"""Provenance of a model: hashes of data, code and parameters, kept beside the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import components
from components.contract.hashing import sha256_file, sha256_files
from components.lib.engine.parameters import TrainingParameters
from components.lib.store.store import Store

SHARED_CODE = ("lib/engine", "lib/losses", "lib/nets", "lib/store")


def code_hash(folders: Sequence[str]) -> str:
    """Return the hex SHA-256 over names and contents of the Python files under ``components/<folder>``.

    A module may be named in place of a folder; one that does not exist adds nothing.
    """
    root = Path(next(iter(components.__path__)))
    paths = [path for folder in folders for path in (root / folder).rglob("*.py")]
    modules = [root / name for name in folders if (root / name).is_file()]
    return sha256_files([*paths, *modules], root)


def provenance(
    stage: str,
    store: Store,
    training: TrainingParameters,
    parameters: BaseModel,
    *,
    code: Sequence[str] = (),
    **more: object,
) -> dict[str, Any]:
    """Return the JSON values that say what a model was made from.

    Args:
        stage: Folder under ``components`` whose code trained it.
        store: The training data; its index is hashed.
        training: Section `training`.
        parameters: The stage's own section.
        code: Folders or modules under ``components`` that the training depends on beside the shared ones.
        more: Further facts, such as the teacher's weights.
    """
    return {
        "stage": stage,
        "seed": training.seed,
        "data_sha256": sha256_file(store.folder / "index.parquet"),
        # Not in the index; a run must not resume on pixels of another precision.
        "sar_dtype": {sensor: store.layer(sensor, "sar").dtype.name for sensor in store.sensors},
        "code_sha256": code_hash([stage, *SHARED_CODE, *code]),
        "training": training.model_dump(mode="json"),
        stage: parameters.model_dump(mode="json"),
        **more,
    }
