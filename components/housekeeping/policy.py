"""Which trainings are kept: pure functions of the operations' state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from components.lib.operations.events import Failed
from components.lib.operations.state import Claim, State


def at_work(state: State, now: datetime, lease: timedelta) -> dict[str, str]:
    """Run by key of all trainings that may be running.

    A failed one may be as well: somebody may have repeated its failed task, which the ledger does not tell.
    """
    return {
        key: claim.run
        for key, claim in state.claims.items()
        if not claim.succeeded and now - claim.alive <= lease
    }


def kept_keys(
    state: State, *, keep: int, now: datetime, lease: timedelta, protected: Collection[str] = ()
) -> set[str]:
    """Keys whose records and data stay.

    Args:
        state: Of the operations.
        keep: The newest so many stay.
        now: The time.
        lease: A claim without a sign of life for longer is not at work.
        protected: Keys that stay anyway: those of champions.
    """
    newest = sorted(state.claims, key=lambda key: state.claims[key].alive, reverse=True)
    return {*newest[:keep], *at_work(state, now, lease), *protected}


def is_finished(claim: Claim) -> bool:
    """Whether no attempt will resume this training from a checkpoint."""
    return claim.succeeded or (isinstance(claim.outcome, Failed) and claim.outcome.final)


def standing_decisions(bodies: Sequence[Mapping[str, Any]]) -> set[str]:
    """Decisions (SHA-256) that made the champion and the one that a rollback would restore.

    Args:
        bodies: Of one model's chain of champions, oldest first.
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
