"""Decisions saved before they are carried out, so that a repeated attempt carries out the same ones.

A stage that is killed after it moved an alias is run again, and would then judge the new champion against
itself and refuse it. Where the orchestrator names the training (``STORMSIGHT_TRAINING``), the decisions on
all models are kept once in its object store, before the first alias moves. A user's own runs judge each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from components.contract.keys import decisions_key
from components.lib.objects.opening import objects_from_environment
from components.lib.objects.sealed import create_sealed, read_sealed

TRAINING = "STORMSIGHT_TRAINING"
"""Environment variable: prefix of the training's results in the object store, ``work/<key>``."""

Decisions = dict[str, dict[str, Any]]


def load_or_save(judge: Callable[[], Decisions]) -> Decisions:
    """Return the decisions that stand for this training: those of the first attempt that got so far.

    Each then names its training, so that no other training's decision has the same hash.

    Args:
        judge: Function that makes the decisions, by model.

    Raises:
        BadDataError: If the saved decisions are damaged.
        SourceUnavailableError: If the object store does not answer.
    """
    key = _key()
    if key is None:
        return judge()
    objects = objects_from_environment()
    if not objects.exists(key):
        made = {model: {**decision, "training": os.environ[TRAINING]} for model, decision in judge().items()}
        create_sealed(objects, key, {"models": made})
    models: Decisions = read_sealed(objects, key)["models"]
    return models


def discard() -> None:
    """Delete the saved decisions: the champion changed before they were carried out.

    The next attempt judges anew.
    """
    key = _key()
    if key is not None:
        objects_from_environment().delete(key)


def _key() -> str | None:
    prefix = os.environ.get(TRAINING)
    return decisions_key(prefix) if prefix else None
