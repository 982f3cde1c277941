"""The rules, as pure functions of the state: who may claim what, and which outcome counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from components.contract.failures import FAILURE_CLASSES, FailureKind
from components.contract.identity import training_key
from components.lib.operations.events import Claimed, Failed, Succeeded
from components.lib.operations.state import Claim, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a run would train with.

    Attributes:
        run: Key-safe name of the run.
        code: SHA-256 of the code.
        params: SHA-256 of the parameters that change results.
        profile: Profile of params.yaml, kept for the record.
    """

    run: str
    code: str
    params: str
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Go:
    """The run trains.

    Attributes:
        claimed: Its claim.
        new: Whether the claim is still to be written down.
    """

    claimed: Claimed
    new: bool


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """The run does not train; no failure.

    Attributes:
        reason: Why.
        next_step: What would change that.
    """

    reason: str
    next_step: str


def decide(
    state: State, wish: Wish, *, now: datetime, lease: timedelta, force: bool = False
) -> Go | NothingToDo:
    """Whether a run may train all pending acquisitions.

    Args:
        state: The present one.
        wish: What the run would train with.
        now: The time.
        lease: A claim without a sign of life for longer may be taken over.
        force: Train though the same key failed for good, or though nothing is registered.
    """
    mine = state.claim_of(wish.run)
    if mine is not None and mine.outcome is None:
        return _planned_before(mine, wish)
    key = training_key(state.pending, wish.code, wish.params)
    if not state.pending and not force:
        return NothingToDo("no acquisition is registered", "land one; --force trains without any")
    claim = state.claims.get(key)
    obstacle = None if claim is None else _obstacle(claim, now, lease, force=force)
    if obstacle is not None:
        return obstacle
    if state.runs.get(wish.run, key) != key:
        return NothingToDo(
            f"run {wish.run} was planned for another set, code or parameters", "start a new run"
        )
    return Go(
        Claimed(
            key=key,
            run=wish.run,
            acquisitions=state.pending,
            code=wish.code,
            params=wish.params,
            profile=wish.profile,
        ),
        new=True,
    )


def decide_outcome(state: State, run: str, outcome: Succeeded | Failed) -> Succeeded | Failed | NothingToDo:
    """Which outcome of ``run`` counts: ``outcome`` itself if it is to be written down, or what stands.

    A success may follow a failure of the same run (its failed task was repeated), nothing follows a success.
    """
    claim = state.claim_of(run)
    if claim is None:
        lost = state.claims.get(state.runs.get(run, ""))
        reason = "has no claim" if lost is None else f"lost its claim to run {lost.run}"
        return NothingToDo(f"run {run} {reason}", "nothing is recorded for it")
    if claim.succeeded or claim.outcome == outcome:
        assert claim.outcome is not None
        return claim.outcome
    return outcome


def _planned_before(mine: Claim, wish: Wish) -> Go | NothingToDo:
    if (mine.claimed.code, mine.claimed.params) != (wish.code, wish.params):
        return NothingToDo(f"run {wish.run} was planned with other code or parameters", "start a new run")
    return Go(mine.claimed, new=False)


def _obstacle(claim: Claim, now: datetime, lease: timedelta, *, force: bool) -> NothingToDo | None:
    """Why a key with this claim may not be claimed by another run, or again."""
    key = claim.claimed.key[:12]
    if claim.succeeded:
        return NothingToDo(
            f"this set is trained: key {key}, run {claim.run}",
            "land an acquisition, or change code or params",
        )
    if claim.outcome is None:
        if now - claim.alive <= lease:
            return NothingToDo(
                f"run {claim.run} trains this set (key {key}, last sign of life {claim.alive:%F %R} UTC)",
                f"wait for it; after {lease / timedelta(hours=1):g} h of silence another run may take over",
            )
        return None
    assert isinstance(claim.outcome, Failed)
    if claim.outcome.final and not force:
        failed = claim.outcome
        return NothingToDo(
            f"this set failed for good in run {claim.run}, stage {failed.stage}: {failed.failure_class}: "
            f"{failed.message}",
            f"{FAILURE_CLASSES[FailureKind(failed.failure_class)].next_step}; or plan with --force",
        )
    return None
