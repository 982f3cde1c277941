"""Decision of the stage that promotes, as runs read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.contract.errors import BadDataError

PRODUCT = "stormsight-sar"
"""The model that is served; the teacher is only its means."""


def is_promoted(decision: Mapping[str, Any] | None) -> bool:
    """Return whether the served model has a new champion.

    Args:
        decision: Content of ``decision.json``, None for a pipeline without a gate.

    Raises:
        BadDataError: If it does not say so either way.
    """
    if decision is None:
        return False
    try:
        outcome = decision["models"][PRODUCT]["outcome"]
    except (KeyError, TypeError):
        outcome = None
    if outcome not in ("promoted", "refused"):
        raise BadDataError(
            f"the decision does not say whether {PRODUCT} was promoted",
            next_step="something else than the promote stage wrote it: run that stage again",
        )
    return bool(outcome == "promoted")


def reasons(decision: Mapping[str, Any]) -> str:
    """Return the reasons of the decision, in words, for every model."""
    parts = [
        f"{name} {part['outcome']}: {'; '.join(part['reasons'])}"
        for name, part in sorted(decision["models"].items())
    ]
    return " | ".join(parts)
