"""State of the operations: a fold of the chain's events.

A claim is for the set that is pending at its place in the chain, unless a person chose some of it. So the
state keeps chosen sets alone: how many acquisitions were registered and withdrawn by then says which ones any
other claim took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate, islice

from components.contract.errors import BadDataError
from components.contract.failures import FailureKind
from components.contract.identity import training_key
from components.lib.ledger.chain import Entry
from components.lib.operations.events import (
    Claimed,
    Event,
    Failed,
    Registered,
    Renewed,
    Succeeded,
    Withdrawn,
    parse_event,
)
from components.lib.operations.pending import PendingSet


@dataclass(frozen=True, slots=True)
class EarlierClaim:
    """Claim that ended without a result and that another one replaced.

    Attributes:
        run: Run that held it.
        started: Time of the claim.
        ended: Time of its failure; of a run that fell silent, of the claim that took over.
        failure_class: Class of the failure, ``infrastructure`` of a run that fell silent.
        stage: Stage that failed; empty for a run that fell silent.
    """

    run: str
    started: datetime
    ended: datetime
    failure_class: str
    stage: str

    @property
    def silent(self) -> bool:
        """Return whether the run fell silent and lost its claim to the one that replaced it."""
        return not self.stage


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim of the run that trains, or trained, a key; a takeover replaces it.

    Attributes:
        claimed: The event, which names its set by hash, unless it was chosen.
        alive: Last sign of life of the run.
        outcome: How it ended, None while it runs.
        failures: Number of failures of the key so far by class, of earlier claims too; a run that fell silent
            and lost its claim to another one counts as ``infrastructure``.
        registered: Number of acquisitions that were registered before the claim.
        withdrawn: Number of acquisitions that were withdrawn before the claim.
        started: Time of the claim; None for one that no ledger holds.
        ended: Time of the outcome, None while it runs.
        earlier: Claims of the key that this one replaced, oldest first.
    """

    claimed: Claimed
    alive: datetime
    outcome: Succeeded | Failed | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    registered: int = 0
    withdrawn: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    earlier: tuple[EarlierClaim, ...] = ()

    @property
    def run(self) -> str:
        """Run that holds the claim."""
        return self.claimed.run

    @property
    def succeeded(self) -> bool:
        """Return whether the key is trained."""
        return isinstance(self.outcome, Succeeded)

    def after_failure(self, failure_class: str) -> Mapping[str, int]:
        """Return ``failures`` with one more of a class."""
        return {**self.failures, failure_class: self.failures.get(failure_class, 0) + 1}

    def replaced(self, time: datetime) -> tuple[EarlierClaim, ...]:
        """Return the earlier claims of one that replaces this one at ``time``."""
        failed = self.outcome if isinstance(self.outcome, Failed) else None
        own = EarlierClaim(
            self.run,
            self.started or self.alive,
            self.ended or time,
            FailureKind.NO_RECORD.value if failed is None else failed.failure_class,
            "" if failed is None else failed.stage,
        )
        return (*self.earlier, own)


@dataclass(frozen=True, slots=True)
class State:
    """Registrations, claims and outcomes after a chain of events. Immutable: :meth:`apply` returns the next.

    Attributes:
        registered: By acquisition, withdrawn ones included, in the order of registration.
        withdrawn: By acquisition, in the order of withdrawal.
        claims: By key: the latest claim.
        runs: By run: the key it claimed. A run keeps its key for life.
        times: By acquisition: time of its registration.
    """

    registered: Mapping[str, Registered] = field(default_factory=dict)
    withdrawn: Mapping[str, Withdrawn] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    runs: Mapping[str, str] = field(default_factory=dict)
    times: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def from_entries(cls, entries: Iterable[Entry], before: State | None = None) -> State:
        """Fold a chain.

        Args:
            entries: Oldest first, as :meth:`Chain.entries` gives them.
            before: State after earlier entries.

        Raises:
            BadDataError: If the events tell an impossible history, naming the entry.
        """
        fold = _Fold(before or cls())
        for entry in entries:
            where = f"operations ledger, entry {entry.seq}"
            event = parse_event(entry.body, where)
            try:
                fold.apply(event, datetime.fromisoformat(entry.time))
            except ValueError as error:
                raise BadDataError(
                    f"{where}: {error}",
                    next_step="something else than these components wrote it: find out what, and restore the "
                    "chain from a backup",
                ) from error
        return fold.state

    @property
    def pending(self) -> dict[str, str]:
        """Return the catalogue hash of each acquisition to train with: registered, not withdrawn."""
        return {
            name: event.catalogue_sha256
            for name, event in sorted(self.registered.items())
            if name not in self.withdrawn
        }

    @property
    def pending_sha256(self) -> str:
        """Return the SHA-256 of :attr:`pending`, by which a claim names it."""
        return PendingSet(self.pending).sha256

    def acquisitions_of(self, claim: Claim) -> dict[str, str]:
        """Return the catalogue hash of each acquisition that a claim of this state took."""
        if claim.claimed.chosen:
            return dict(sorted((claim.claimed.acquisitions or {}).items()))
        gone = set(islice(self.withdrawn, claim.withdrawn))
        took = islice(self.registered.items(), claim.registered)
        return {name: event.catalogue_sha256 for name, event in sorted(took) if name not in gone}

    @property
    def trained(self) -> set[str]:
        """Return the acquisitions that some finished training took."""
        # Most registered acquisitions of any training that began after at most so many withdrawals.
        reach = [0] * (len(self.withdrawn) + 1)
        chosen: set[str] = set()
        for claim in self.claims.values():
            if claim.succeeded and claim.claimed.chosen:
                chosen.update(claim.claimed.acquisitions or ())
            elif claim.succeeded:
                reach[claim.withdrawn] = max(reach[claim.withdrawn], claim.registered)
        reach = list(accumulate(reach, max))
        left = {name: number for number, name in enumerate(self.withdrawn)}
        return chosen | {
            name
            for number, name in enumerate(self.registered)
            if number < reach[left.get(name, len(self.withdrawn))]
        }

    def claim_of(self, run: str) -> Claim | None:
        """Return the claim that ``run`` holds; None if it never claimed, or lost the claim to another run."""
        claim = self.claims.get(self.runs.get(run, ""))
        return claim if claim is not None and claim.run == run else None

    def apply(self, event: Event, time: datetime) -> State:
        """Return the state after ``event``.

        Args:
            event: The next event.
            time: Time of the event, by the clock of its writer.

        Raises:
            ValueError: If it cannot follow, saying why.
        """
        fold = _Fold(self)
        fold.apply(event, time)
        return fold.state


class _Fold:
    """Fold of one event after the other into copies of a state's mappings, made once for all events."""

    def __init__(self, before: State) -> None:
        self._registered = dict(before.registered)
        self._withdrawn = dict(before.withdrawn)
        self._claims = dict(before.claims)
        self._runs = dict(before.runs)
        self._times = dict(before.times)
        self._pending: PendingSet | None = None  # made for the first claim: few folds of new entries meet one

    @property
    def state(self) -> State:
        """State after the events so far; no event is applied after it was taken."""
        return State(self._registered, self._withdrawn, self._claims, self._runs, self._times)

    @property
    def _set(self) -> PendingSet:
        if self._pending is None:
            self._pending = PendingSet(self.state.pending)
        return self._pending

    def apply(self, event: Event, time: datetime) -> None:
        """Take in the next event; see :meth:`State.apply`."""
        match event:
            case Registered():
                self._register(event, time)
            case Withdrawn():
                self._withdraw(event)
            case Claimed():
                self._claim(event, time)
            case Renewed():
                claim = self._held(event.key, event.run)
                _require(claim.outcome is None, "the claim has ended")
                self._claims[event.key] = replace(claim, alive=max(claim.alive, time))
            case Succeeded() | Failed():
                claim = self._held(event.key, event.run)
                _require(not claim.succeeded, "the key is trained already")
                failures = (
                    claim.after_failure(event.failure_class) if isinstance(event, Failed) else claim.failures
                )
                self._claims[event.key] = replace(claim, outcome=event, failures=failures, ended=time)

    def _register(self, event: Registered, time: datetime) -> None:
        name = event.acquisition
        _require(name not in self._registered, f"{name} is registered twice")
        self._registered[name] = event
        self._times[name] = time
        if self._pending is not None:
            self._pending.add(name, event.catalogue_sha256)

    def _withdraw(self, event: Withdrawn) -> None:
        name = event.acquisition
        _require(name in self._registered, f"{name} is not registered")
        _require(name not in self._withdrawn, f"{name} is withdrawn twice")
        self._withdrawn[name] = event
        if self._pending is not None:
            self._pending.remove(name, self._registered[name].catalogue_sha256)

    def _claim(self, event: Claimed, time: datetime) -> None:
        _require(event.key == self._key_of(event), "the key does not fit the claim")
        _require(self._runs.get(event.run, event.key) == event.key, f"{event.run} claims a second key")
        before = self._claims.get(event.key)
        _require(before is None or not before.succeeded, "the key is trained already")
        failures: Mapping[str, int] = {}
        if before is not None:
            silent = before.outcome is None and before.run != event.run
            failures = before.after_failure(FailureKind.NO_RECORD) if silent else before.failures
        self._claims[event.key] = Claim(
            event.by_hash(),
            time,
            failures=failures,
            registered=len(self._registered),
            withdrawn=len(self._withdrawn),
            started=time,
            earlier=() if before is None else self._replaced(before, event, time),
        )
        self._runs[event.run] = event.key

    @staticmethod
    def _replaced(before: Claim, event: Claimed, time: datetime) -> tuple[EarlierClaim, ...]:
        """Return the earlier claims of one; a run that claims again while it is at work ends nothing."""
        again = before.outcome is None and before.run == event.run
        return before.earlier if again else before.replaced(time)

    def _key_of(self, event: Claimed) -> str:
        """Return the key of what an event claims.

        Raises:
            ValueError: If it is not pending.
        """
        if not event.chosen:
            pending = self._set
            _require(event.set_sha256 == pending.sha256, "the claim is not for the pending acquisitions")
            return pending.training_key(event.code, event.params)
        chosen = event.acquisitions or {}
        for name, sha256 in chosen.items():
            known = self._registered.get(name)
            _require(known is not None and known.catalogue_sha256 == sha256, f"{name} is not registered so")
            _require(name not in self._withdrawn, f"{name} is withdrawn")
        return training_key(chosen, event.code, event.params)

    def _held(self, key: str, run: str) -> Claim:
        claim = self._claims.get(key)
        if claim is None or claim.run != run:
            raise ValueError(f"{run} does not hold the claim")
        return claim


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
