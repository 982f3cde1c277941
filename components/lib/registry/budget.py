"""Error budget of a champion line: every further challenger is tested at a smaller level.

The same test ground judges every retraining, so errors add up over the life of a model. The k-th judged
challenger is tested at ``budget / (k (k + 1))``; these levels add up to less than the budget, however many
challengers come (alpha spending). The number is a tag of the model version, so that a version that is judged
again is tested at the same level.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.lib.registry.artefact import damaged_tag
from components.lib.tracking.connection import Connection, store_errors

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

JUDGEMENT = "judgement"
"""Tag of a model version: its number among the challengers that were judged against a champion."""


def level_of(budget: float, number: int) -> float:
    """Return the level at which the challenger of that number, from 1, is tested."""
    return budget / (number * (number + 1))


def remaining(budget: float, number: int) -> float:
    """Return what the challengers up to that number leave of the budget."""
    return budget / (number + 1)


def take_number(connection: Connection, model: str, version: str) -> int:
    """Return a version's number among the judged challengers of a model; a new one is recorded at once.

    Args:
        connection: Connection to MLflow.
        model: Registered model.
        version: Version that is about to be judged against a champion.

    Raises:
        BadDataError: If the tag of a version is no number.
        SourceUnavailableError: If MLflow does not answer.
    """
    with store_errors(connection.uri):
        taken = {
            str(found.version): _number_of(found)
            for found in connection.client.search_model_versions(f"name='{model}'")
            if JUDGEMENT in found.tags
        }
        if version not in taken:
            # The largest, not the count: deleting an earlier version gives nothing back.
            taken[version] = 1 + max(taken.values(), default=0)
            connection.client.set_model_version_tag(model, version, JUDGEMENT, str(taken[version]))
    return taken[version]


def _number_of(version: ModelVersion) -> int:
    """Return the number in a version's tag."""
    text = version.tags[JUDGEMENT]
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise damaged_tag(
            version, JUDGEMENT, "a whole number from 1 (`test.number` in decisions/ of the version's run)"
        )
    return int(text)
