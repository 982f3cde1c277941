"""Provenance of a model: hashes of data, code and parameters, kept beside the weights."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from components.contract.identity import data_hash, stage_code_hash
from components.lib.engine.parameters import TrainingParameters
from components.lib.store.store import Store


def provenance(
    address: str, store: Store, training: TrainingParameters, parameters: BaseModel, **more: object
) -> dict[str, Any]:
    """Return the JSON values that say what a model was made from.

    They hold no identity of the whole pipeline: a change elsewhere must not change the model's bytes.

    Args:
        address: The training's address in dvc.yaml, ``distill@concord``: its code is hashed.
        store: The training data, hashed.
        training: Section `training`.
        parameters: The stage's own section.
        more: Further facts, such as the teacher's weights.

    Raises:
        ParameterError: If dvc.yaml has no such stage.
    """
    stage = address.partition("@")[0]
    return {
        "stage": address,
        "seed": training.seed,
        "data_sha256": data_hash(store.folder),
        "stage_code_sha256": stage_code_hash(address),
        "training": training.model_dump(mode="json"),
        stage: parameters.model_dump(mode="json"),
        **more,
    }
