"""Position of the set that would be trained next: at work, trained, barred, or to be started again.

A failure that is not final may have been bad luck: the set is then started again by the clock, as often as
the failure's class allows. Runs that a person, a new acquisition or the schedule starts are not counted out:
they may train a set whose redrives are spent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from components.contract.failures import FailureKind
from components.contract.identity import training_key
from components.lib.operations.decisions import NothingToDo, WithSigns, as_it_is, obstacle_of, taken_by
from components.lib.operations.events import Failed
from components.lib.operations.state import Claim, State

OTHER = "other"
"""Key of the redrives of all classes that are not named."""

_START = "the next run of the DAG `retrain` trains it; after a registration by hand, start one"
_REDRIVE = "the DAG `redrive` starts it by the clock; a run of `retrain` that you start does so at once"


class Position(StrEnum):
    """Position of a set on its way to a model."""

    EMPTY = "nothing registered"
    NEW = "not trained yet"
    AT_WORK = "at work"
    TRAINED = "trained"
    BARRED = "barred"
    REDRIVE = "to be started again"
    SPENT = "redrives spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Set of all pending acquisitions under the present code and parameters, and what became of it.

    Attributes:
        key: Key of its training.
        acquisitions: Their ids.
        position: Position in one word or a few.
        reason: Explanation for the reader.
        next_step: Action that would change it; empty where none is needed.
        claim: Latest claim, with the run that holds it; None if no run ever claimed the set.
    """

    key: str
    acquisitions: tuple[str, ...]
    position: Position
    reason: str
    next_step: str = ""
    claim: Claim | None = field(default=None)

    def text(self) -> str:
        """Return the standing for people, a fact per line."""
        names = ", ".join(self.acquisitions) or "none"
        lines = [f"set {self.key[:12]}: {self.position}", f"  acquisitions: {names}", f"  {self.reason}"]
        if self.claim is not None:
            lines.append(f"  claim: run {self.claim.run}, last sign of life {self.claim.alive:%F %R} UTC")
            failures = ", ".join(f"{name} {count}" for name, count in sorted(self.claim.failures.items()))
            lines += [f"  failures so far: {failures}"] if failures else []
        return "\n".join([*lines, *([f"  next step: {self.next_step}"] if self.next_step else [])])


def standing_of(
    state: State,
    code: str,
    params: str,
    *,
    now: datetime,
    lease: timedelta,
    redrives: Mapping[str, int],
    chosen: Sequence[str] | None = None,
    with_signs: WithSigns = as_it_is,
) -> Standing:
    """Return the standing of the set that a run planned now would train.

    Args:
        state: The present state.
        code: SHA-256 of the code.
        params: SHA-256 of the parameters that stages name.
        now: The present time.
        lease: A claim without a sign of life for longer may be taken over.
        redrives: Redrives by failure class, and under ``other`` for the rest.
        chosen: Acquisitions that the run would be planned with; None for all that are pending.
        with_signs: Adds the sign of life of the run that holds the claim, if there is one.

    Raises:
        ParameterError: If an acquisition that was chosen is unknown or withdrawn.
    """
    taken = taken_by(state, chosen)
    key = training_key(taken, code, params)
    claim = with_signs(state, [key]).claims.get(key)
    position, reason, next_step = _position(bool(taken), claim, now, lease, redrives)
    return Standing(
        key=key,
        acquisitions=tuple(taken),
        position=position,
        reason=reason,
        next_step=next_step,
        claim=claim,
    )


def _position(
    pending: bool, claim: Claim | None, now: datetime, lease: timedelta, redrives: Mapping[str, int]
) -> tuple[Position, str, str]:
    if claim is None:
        if not pending:
            return Position.EMPTY, "no acquisition is registered", "land one"
        return Position.NEW, "no run has claimed this set yet", _START
    obstacle = obstacle_of(claim, now=now, lease=lease)
    if obstacle is not None:
        return _hindered(claim, obstacle), obstacle.reason, obstacle.next_step
    return _redrive(claim, redrives)


def _hindered(claim: Claim, obstacle: NothingToDo) -> Position:
    if obstacle.barred:
        return Position.BARRED
    return Position.TRAINED if claim.succeeded else Position.AT_WORK


def _redrive(claim: Claim, redrives: Mapping[str, int]) -> tuple[Position, str, str]:
    """Judge a claim that a run may take over: it failed, though not for good, or fell silent."""
    if isinstance(claim.outcome, Failed):
        failed = claim.outcome
        kind, count = failed.failure_class, claim.failures.get(failed.failure_class, 0)
        what = f"run {claim.run} failed in stage {failed.stage}: {kind}: {failed.message}"
    else:
        kind = FailureKind.NO_RECORD
        count = claim.failures.get(kind, 0) + 1
        what = f"run {claim.run} fell silent: it was stopped by hand, or its machine was lost"
    granted = redrives.get(kind, redrives.get(OTHER, 0))
    if count > granted:
        return (
            Position.SPENT,
            f"{what}; all {granted} redrives of class {kind} are spent",
            "find the cause; the next scheduled run, or one that you start, trains the set again",
        )
    return Position.REDRIVE, f"{what}; redrive {count} of {granted} is due", _REDRIVE
