"""Operations chain of an object store: read, decide, append, and again if another process was first.

What was read and checked once is kept: a further call of the same object reads what was appended since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from components.contract.actor import current_actor
from components.contract.errors import MissingInputError
from components.contract.failures import FailureKind
from components.contract.keys import OPERATIONS
from components.lib.ledger.chain import Chain, Entry, HeadMovedError, utc_now
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.decisions import (
    ClaimGranted,
    ClaimRequest,
    NothingToDo,
    decide,
    decide_outcome,
)
from components.lib.operations.events import (
    WITHDRAW,
    Event,
    Failed,
    Registered,
    Succeeded,
    Withdrawn,
)
from components.lib.operations.liveness import give_sign, signed_keys, with_signs
from components.lib.operations.plan import RunPlan
from components.lib.operations.snapshots import SnapshotReader, View
from components.lib.operations.state import State

ATTEMPTS = 100
"""Appends that may lose against others; each loss means that somebody else got on."""

T = TypeVar("T")


class Operations:
    """Ledger of registrations, claims and outcomes; every method may be repeated after a crash.

    Args:
        objects: The store of ledger, plans and records.
        clock: Function that returns the time.
    """

    def __init__(self, objects: ObjectStore, clock: Callable[[], datetime] = utc_now) -> None:
        self._objects = objects
        self._clock = clock
        self.chain = Chain(objects, OPERATIONS, clock)
        self._snapshots = SnapshotReader(objects, self.chain, OPERATIONS)
        self._view: View | None = None

    def state(self) -> State:
        """Return the present state of the ledger, without signs of life.

        Raises:
            BadDataError: If the chain is broken.
        """
        return self._read().state

    @property
    def length(self) -> int:
        """Number of entries that the last reading saw."""
        return 0 if self._view is None or self._view.head is None else self._view.head.seq

    def state_with_signs(self) -> State:
        """Return the present state with the signs of life of all runs that may be at work."""
        state = self.state()
        return self.with_signs(state, signed_keys(state, self._objects))

    def with_signs(self, state: State, keys: Iterable[str]) -> State:
        """Return a state of the chain with the signs of life of these trainings' runs."""
        return with_signs(state, self._objects, self._clock(), keys)

    def verify(self) -> list[Entry]:
        """Return all entries, with chain, length and history checked from the first entry on.

        The snapshot plays no part in it; see :meth:`verify_snapshot`.

        Raises:
            BadDataError: If anything is wrong, naming the entry.
        """
        entries = self.chain.entries()
        state = State.from_entries(entries)
        self._view = View(entries[-1] if entries else None, state, len(entries))
        return entries

    def verify_snapshot(self) -> int | None:
        """Compare the snapshot with what all entries add up to, as :meth:`verify` read them.

        Returns:
            Number of the entry after which the snapshot holds; None if there is none.

        Raises:
            BadDataError: If it is damaged or leads to another state, or if the chain is broken.
        """
        if self._view is None or not self._view.from_first:
            self.verify()
        assert self._view is not None
        return self._snapshots.compare(self._view)

    def register(self, event: Registered, check: Callable[[State], None] = lambda _: None) -> bool:
        """Register an acquisition whose catalogue entry is in place.

        Args:
            event: The registration.
            check: Function that raises if the acquisition must not be registered in a state. It sees the very
                state that the registration follows, also when another process registers at the same time.

        Returns:
            Whether this call did; False if it was registered before.
        """

        def choose(state: State) -> tuple[Event | None, bool]:
            if event.acquisition in state.registered:
                return None, False
            check(state)
            return event, True

        return self._change(choose)

    def withdraw(self, acquisition: str, reason: str) -> bool:
        """Take an acquisition out of all trainings to come.

        Returns:
            Whether this call did; False if it was withdrawn before.

        Raises:
            MissingInputError: If it is not registered.
        """

        def choose(state: State) -> tuple[Event | None, bool]:
            if acquisition not in state.registered:
                raise MissingInputError(
                    f"{acquisition} is not registered in {self._objects.uri}",
                    next_step="see `python -m components.acquisitions list`",
                )
            if acquisition in state.withdrawn:
                return None, False
            return Withdrawn(acquisition=acquisition, reason=reason), True

        return self._change(choose)

    def stop_trainings_with(self, acquisition: str) -> list[str]:
        """End the claims at work whose sets hold a withdrawn acquisition; return their runs.

        What such a run still does stops at its next renewal. Repeated, it ends what an earlier attempt left.

        Raises:
            MissingInputError: If the acquisition is not withdrawn.
        """

        def choose(state: State) -> tuple[Event | None, str | None]:
            if acquisition not in state.withdrawn:
                raise MissingInputError(f"{acquisition} is not withdrawn", next_step="withdraw it first")
            reason = state.withdrawn[acquisition].reason
            for key, claim in state.claims.items():
                if claim.outcome is None and acquisition in state.acquisitions_of(claim):
                    message = f"{acquisition}, which it trains with, was withdrawn: {reason}"
                    return _failure(key, claim.run, FailureKind.TERMINATED, WITHDRAW, message), claim.run
            return None, None

        stopped: list[str] = []
        while (run := self._change(choose)) is not None:
            stopped.append(run)
        return stopped

    def claim(self, request: ClaimRequest, *, lease: timedelta, force: bool = False) -> RunPlan | NothingToDo:
        """Claim all pending acquisitions for a run, or those that it has chosen, and seal its plan.

        The same run gets the same plan again.

        Args:
            request: The run, with its code and parameters.
            lease: A claim without a sign of life for longer may be taken over.
            force: See :func:`components.lib.operations.decisions.decide`.

        Raises:
            BadDataError: If the chain is broken.
            ParameterError: If an acquisition that was chosen is unknown or withdrawn.
        """

        def choose(state: State) -> tuple[Event | None, ClaimGranted | NothingToDo]:
            found = decide(
                state, request, now=self._clock(), lease=lease, force=force, with_signs=self.with_signs
            )
            return (found.claimed if isinstance(found, ClaimGranted) and found.new else None), found

        found = self._change(choose)
        if isinstance(found, NothingToDo):
            return found
        plan = RunPlan.of(found.claimed, found.acquisitions)
        plan.write(self._objects)
        return plan

    def renew(self, run: str, *, lease: timedelta) -> bool:
        """Give a sign of life of a run, once half of its lease is over; nothing is added to the ledger.

        A failed run gives signs as well, for its stage may be repeated: they keep what it needs from being
        pruned, and no claim from being taken over.

        Returns:
            Whether the run still holds its claim.
        """
        state, now = self.state(), self._clock()
        held = state.claim_of(run)
        if held is None or held.succeeded:
            return False
        claim = self.with_signs(state, [held.claimed.key]).claims[held.claimed.key]
        if now - claim.alive >= lease / 2:
            give_sign(self._objects, run, now)
        return claim.outcome is None

    def succeeded(self, run: str, *, record_sha256: str, promoted: bool) -> Succeeded | Failed | NothingToDo:
        """Record that a run trained its set.

        Returns:
            The outcome that stands, or why none is recorded: the run has no claim (any more).
        """
        return self._record(
            run, lambda key: Succeeded(key=key, run=run, record_sha256=record_sha256, promoted=promoted)
        )

    def failed(
        self, run: str, *, failure_class: str, stage: str, message: str
    ) -> Succeeded | Failed | NothingToDo:
        """Record that a run ended without a result; see :meth:`succeeded`."""
        return self._record(
            run,
            lambda key: _failure(key, run, failure_class, stage, message),
        )

    def _record(
        self, run: str, make: Callable[[str], Succeeded | Failed]
    ) -> Succeeded | Failed | NothingToDo:
        def choose(state: State) -> tuple[Event | None, Succeeded | Failed | NothingToDo]:
            claim = state.claim_of(run)
            outcome = make("0" * 64 if claim is None else claim.claimed.key)
            stands = decide_outcome(state, run, outcome)
            return (outcome if stands is outcome else None), stands

        return self._change(choose)

    def _change(self, choose: Callable[[State], tuple[Event | None, T]]) -> T:
        """Append the event that ``choose`` finds right for the present state, if any."""
        for _ in range(ATTEMPTS):
            view = self._read()
            event, result = choose(view.state)
            if event is None:
                return result
            entry = self.chain.next_entry(view.head, {**event.body(), "actor": current_actor()})
            # What the fold would refuse is never written.
            state = view.state.apply(event, datetime.fromisoformat(entry.time))
            try:
                self.chain.put_entry(entry)
            except HeadMovedError:
                continue
            self._view = self._snapshots.save(View(entry, state, view.folded + 1))
            return result
        raise HeadMovedError(
            f"{self.chain.uri}: others were first {ATTEMPTS} times", next_step="run the command again"
        )

    def _read(self) -> View:
        self._view = self._snapshots.read(self._view)
        return self._view


def _failure(key: str, run: str, failure_class: str, stage: str, message: str) -> Failed:
    """Return the event of a failure, its words no longer than a ledger keeps them."""
    return Failed.model_validate(
        {"key": key, "run": run, "class": failure_class, "stage": stage[:200], "message": message[:2000]}
    )
