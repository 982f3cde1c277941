"""Provenance of a model: hashes of data, code and parameters, kept beside the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from components.contract.identity import data_hash, stage_code_hash
from components.lib.engine.parameters import TrainingParameters


class StoredData(Protocol):
    """A store of training data."""

    folder: Path


def provenance(
    address: str,
    store: StoredData,
    training: TrainingParameters,
    sections: Mapping[str, BaseModel],
    **more: object,
) -> dict[str, Any]:
    """Return the JSON values that say what a model was made from.

    They hold no identity of the whole pipeline: a change elsewhere must not change the model's bytes.

    Args:
        address: The training's address in dvc.yaml, ``distill@concord``: its code is hashed.
        store: The training data, hashed.
        training: Section `training`.
        sections: The stage's own sections of params.yaml, by name.
        more: Further facts, such as the teacher's weights.

    Raises:
        ParameterError: If dvc.yaml has no such stage.
    """
    return {
        "stage": address,
        "seed": training.seed,
        "data_sha256": data_hash(store.folder),
        "stage_code_sha256": stage_code_hash(address),
        "training": training.model_dump(mode="json"),
        **{name: section.model_dump(mode="json") for name, section in sections.items()},
        **more,
    }
