"""Retention of trainings: pure functions of the operations' state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
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


def newest_keys(state: State) -> list[str]:
    """Return the keys of all trainings, the newest sign of life first; of equal ones the later claim."""
    return sorted(state.claims, key=lambda key: state.claims[key].alive)[::-1]


@dataclass(frozen=True, slots=True)
class Holding:
    """Bytes that one training holds.

    Attributes:
        data: Bytes of the data that its records name, by MD5.
        records: Bytes of its records and checkpoints.
    """

    data: Mapping[str, int]
    records: int

    def alone(self, others: Counter[str]) -> int:
        """Return the bytes of its records, and of data that no other training's records name.

        Args:
            others: Number of trainings that name it, by MD5, this one included.
        """
        return self.records + sum(size for md5, size in self.data.items() if others[md5] == 1)


def within_budget(
    newest: Sequence[str], holdings: Mapping[str, Holding], budget: float, held: Set[str] = frozenset()
) -> list[str]:
    """Return the newest trainings that together hold no more than a number of bytes, at least the first.

    Args:
        newest: Keys of the trainings that number alone would keep, newest first.
        holdings: What each of them holds.
        budget: Bytes. What several of them hold counts once.
        held: Data that stay in any case, and so count for none of them.
    """
    kept, seen, size = list[str](), set(held), 0
    for key in newest:
        added = {name: bytes_ for name, bytes_ in holdings[key].data.items() if name not in seen}
        size += sum(added.values()) + holdings[key].records
        if kept and size > budget:
            break
        seen |= added.keys()
        kept.append(key)
    return kept


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
