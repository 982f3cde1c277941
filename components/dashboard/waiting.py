"""Trainings at work, stuck or barred, and acquisitions that wait for one, each with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

from components.contract.keys import OPERATIONS, alive_key
from components.lib.operations.decisions import obstacle_of
from components.lib.operations.events import Failed
from components.lib.operations.state import Claim, State

Standing = Literal["at work", "stuck", "barred", "failed", "waits"]

LISTED = 20
"""Claims that are told at most, the newest sign of life first."""

NAMED = 5
"""Acquisitions that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is at work or waits.

    Attributes:
        standing: How it stands.
        subject: Run, or acquisitions.
        run: Run behind it; empty for acquisitions.
        reason: Reason in words.
        next_step: Action for the reader; empty where none is needed.
        source: Key in the object store that says so.
    """

    standing: Standing
    subject: str
    run: str
    reason: str
    next_step: str
    source: str


def find_waiting(state: State, *, now: datetime, lease: timedelta) -> list[Waiting]:
    """Return claims without an outcome, failures of the present set, and acquisitions in no training.

    Args:
        state: State of the operations, signs of life included.
        now: The present time, UTC.
        lease: A claim without a sign of life for longer is stuck.
    """
    newest = sorted(state.claims.values(), key=attrgetter("alive"), reverse=True)
    open_claims = [claim for claim in newest if claim.outcome is None][:LISTED]
    found = [_open(claim, now, lease) for claim in open_claims]
    present = state.pending
    latest = next((one for one in newest if state.acquisitions_of(one) == present), None)
    if latest is not None and isinstance(latest.outcome, Failed):
        found.append(_failed(latest, latest.outcome, now, lease))
    trained = state.trained
    at_work = {name for claim in open_claims for name in state.acquisitions_of(claim)}
    new = [name for name in present if name not in trained | at_work]
    if new:
        found.append(_untrained(new))
    return found


def _open(claim: Claim, now: datetime, lease: timedelta) -> Waiting:
    silent = now - claim.alive > lease
    reason = f"set {claim.claimed.key[:12]}, last sign of life {claim.alive:%F %R} UTC"
    if silent:
        reason += f": silent for longer than {lease / timedelta(hours=1):g} h"
    step = (
        f"another run may take it over; or python -m components.runs release --run {claim.run} --reason ..."
        if silent
        else ""
    )
    return Waiting(
        "stuck" if silent else "at work", f"run {claim.run}", claim.run, reason, step, alive_key(claim.run)
    )


def _failed(claim: Claim, failed: Failed, now: datetime, lease: timedelta) -> Waiting:
    obstacle = obstacle_of(claim, now=now, lease=lease)
    if obstacle is not None:
        reason, step = obstacle.reason, obstacle.next_step
        return Waiting("barred", f"run {claim.run}", claim.run, reason, step, OPERATIONS)
    reason = f"failed in {failed.stage}: {failed.failure_class}: {failed.message}"
    step = "the DAG `redrive` starts it again by the clock, as often as its class allows"
    return Waiting("failed", f"run {claim.run}", claim.run, reason, step, OPERATIONS)


def _untrained(names: list[str]) -> Waiting:
    more = len(names) - NAMED
    words = ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
    return Waiting(
        "waits",
        f"{len(names)} acquisition{'s' if len(names) > 1 else ''}",
        "",
        f"registered, in no finished training: {words}",
        "the next run of the DAG `retrain` trains with them",
        OPERATIONS,
    )
