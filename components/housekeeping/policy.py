"""Retention of trainings: pure functions of the operations' state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from components.lib.operations.events import Failed
from components.lib.operations.state import Claim, State


def at_work(state: State, now: datetime, abandoned: timedelta) -> dict[str, str]:
    """Return the run, by training key, of all trainings that may be running.

    A failed one counts as well: somebody may have repeated its failed task, which the ledger does not record.
    """
    return {
        key: claim.run
        for key, claim in state.claims.items()
        if not claim.succeeded and now - claim.alive <= abandoned
    }


def kept_keys(
    state: State, *, keep: int, now: datetime, abandoned: timedelta, protected: Collection[str] = ()
) -> set[str]:
    """Return the keys of trainings whose records and data stay.

    Args:
        state: State of the operations.
        keep: Number of newest trainings that stay.
        now: Present time.
        abandoned: Time after its last sign of life from which a training counts as abandoned.
        protected: Keys that stay in any case: those of champions.
    """
    newest = sorted(state.claims, key=lambda key: state.claims[key].alive, reverse=True)
    return {*newest[:keep], *at_work(state, now, abandoned), *protected}


def is_finished(claim: Claim) -> bool:
    """Return True if no attempt will resume this training from a checkpoint."""
    return claim.succeeded or (isinstance(claim.outcome, Failed) and claim.outcome.final)


def standing_decisions(bodies: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the decisions (SHA-256) that made the champion and the one a rollback would restore.

    Args:
        bodies: Entries of one model's chain of champions, oldest first.
    """
    stack: list[str] = []
    made_by: dict[str, str] = {}
    for body in bodies:
        version = str(body["version"])
        if body["action"] == "rollback":
            stack = stack[: stack.index(version) + 1] if version in stack else [version]
        else:
            stack.append(version)
            made_by[version] = str(body["decision"])
    return {made_by[version] for version in stack[-2:] if version in made_by}
