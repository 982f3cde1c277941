"""Rules of claiming and recording, as pure functions of the state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.contract.failures import FAILURE_CLASSES, FailureKind
from components.contract.identity import training_key
from components.lib.operations.events import Claimed, Failed, Succeeded
from components.lib.operations.state import Claim, State


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest:
    """Request of a run to train all pending acquisitions.

    Attributes:
        run: Key-safe name of the run.
        code: SHA-256 of the code.
        params: SHA-256 of the parameters that stages name.
        profile: Profile of params.yaml, kept for the record.
        chosen: Acquisitions to train with; None for all that are pending.
    """

    run: str
    code: str
    params: str
    profile: str | None = None
    chosen: tuple[str, ...] | None = None


WithSigns = Callable[[State, Iterable[str]], State]
"""Function that returns a state with the last signs of life of the runs of some trainings."""


def as_it_is(state: State, _: Iterable[str]) -> State:
    """Return a state that holds its signs of life already, or shall be judged without any."""
    return state


@dataclass(frozen=True, slots=True)
class ClaimGranted:
    """Answer to a request: the run trains.

    Attributes:
        claimed: The run's claim.
        acquisitions: Its set: SHA-256 of the catalogue entry by acquisition.
        new: Whether the claim must still be written to the ledger.
    """

    claimed: Claimed
    acquisitions: Mapping[str, str]
    new: bool


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """Answer to a request, or to an outcome: nothing is to be done, and that is no failure.

    Attributes:
        reason: Explanation for the reader.
        next_step: Action that would change the answer.
        barred: Key of the set if it failed for good, so that no run trains it before a person has acted.
    """

    reason: str
    next_step: str
    barred: str | None = None


def decide(
    state: State,
    request: ClaimRequest,
    *,
    now: datetime,
    lease: timedelta,
    force: bool = False,
    with_signs: WithSigns = as_it_is,
) -> ClaimGranted | NothingToDo:
    """Decide whether a run may train all pending acquisitions, or those that it has chosen.

    Args:
        state: The present state.
        request: The run, with its code and parameters.
        now: The present time.
        lease: A claim without a sign of life for longer may be taken over.
        force: Train though the same key failed for good, or though nothing is registered.
        with_signs: Adds the sign of life of the run that holds the claim, if there is one.

    Raises:
        ParameterError: If an acquisition that was chosen is unknown or withdrawn.
    """
    mine = state.claim_of(request.run)
    if mine is not None and mine.outcome is None:
        return _planned_before(state, mine, request)
    pending = state.pending
    taken = taken_by(state, request.chosen)
    chosen = taken != pending
    key = training_key(taken, request.code, request.params)
    if not taken and not force:
        return NothingToDo("no acquisition is registered", "land one; --force trains without any")
    claim = with_signs(state, [key]).claims.get(key)
    obstacle = None if claim is None else obstacle_of(claim, now=now, lease=lease, force=force)
    if obstacle is not None:
        return obstacle
    if state.runs.get(request.run, key) != key:
        return NothingToDo(
            f"run {request.run} was planned for another set, code or parameters", "start a new run"
        )
    return ClaimGranted(
        Claimed(
            key=key,
            run=request.run,
            acquisitions=taken if chosen else None,
            acquisitions_sha256=None if chosen else state.pending_sha256,
            chosen=chosen,
            code=request.code,
            params=request.params,
            profile=request.profile,
            forced=force,
        ),
        taken,
        new=True,
    )


def taken_by(state: State, names: Sequence[str] | None) -> dict[str, str]:
    """Return the catalogue hash of each acquisition that a run takes: all that are pending, or those named.

    Raises:
        ParameterError: If the list of names is empty, or one is not registered or withdrawn.
    """
    pending = state.pending
    if names is None:
        return pending
    if not names:
        raise ParameterError("no acquisition is chosen", next_step="name some, or leave --acquisitions out")
    for name in names:
        if name in state.withdrawn:
            raise ParameterError(
                f"{name} cannot be trained with: it was withdrawn: {state.withdrawn[name].reason}",
                next_step="choose others: see `python -m components.acquisitions list`",
            )
        if name not in pending:
            raise ParameterError(
                f"acquisition {name} is not registered{nearest(name, list(pending))}",
                next_step="see `python -m components.acquisitions list`",
            )
    return {name: pending[name] for name in sorted(set(names))}


def decide_outcome(state: State, run: str, outcome: Succeeded | Failed) -> Succeeded | Failed | NothingToDo:
    """Return the outcome of ``run`` that counts: ``outcome`` if it is to be written down, or what stands.

    A success may follow a failure of the same run (its failed task was repeated), nothing follows a success.
    What a person said when the claim was given up stands against later failures.
    """
    claim = state.claim_of(run)
    if claim is None:
        lost = state.claims.get(state.runs.get(run, ""))
        reason = "has no claim" if lost is None else f"lost its claim to run {lost.run}"
        return NothingToDo(f"run {run} {reason}", "nothing is recorded for it")
    if claim.succeeded or claim.outcome == outcome:
        assert claim.outcome is not None
        return claim.outcome
    if isinstance(claim.outcome, Failed) and claim.outcome.given_up and isinstance(outcome, Failed):
        return claim.outcome
    return outcome


def _planned_before(state: State, mine: Claim, request: ClaimRequest) -> ClaimGranted | NothingToDo:
    if (mine.claimed.code, mine.claimed.params) != (request.code, request.params):
        return NothingToDo(f"run {request.run} was planned with other code or parameters", "start a new run")
    planned = state.acquisitions_of(mine)
    if request.chosen is not None and set(planned) != set(request.chosen):
        return NothingToDo(f"run {request.run} was planned with other acquisitions", "start a new run")
    return ClaimGranted(mine.claimed, planned, new=False)


def obstacle_of(claim: Claim, *, now: datetime, lease: timedelta, force: bool = False) -> NothingToDo | None:
    """Return the reason why a key with this claim may not be claimed by another run, or again.

    Args:
        claim: The latest claim of the key.
        now: The present time.
        lease: A claim without a sign of life for longer may be taken over.
        force: Train though the key failed for good.
    """
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
            barred=claim.claimed.key,
        )
    return None
