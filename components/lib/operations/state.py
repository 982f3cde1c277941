"""State of the operations: a fold of the chain's events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

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

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim of the run that trains, or trained, a key; a takeover replaces it.

    Attributes:
        claimed: The event.
        alive: Last sign of life of the run.
        outcome: How it ended, None while it runs.
        failures: Number of failures of the key so far by class, of earlier claims too; a run that fell silent
            and lost its claim to another one counts as ``infrastructure``.
    """

    claimed: Claimed
    alive: datetime
    outcome: Succeeded | Failed | None = None
    failures: Mapping[str, int] = field(default_factory=lambda: _EMPTY)

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


@dataclass(frozen=True, slots=True)
class State:
    """Registrations, claims and outcomes after a chain of events. Immutable: :meth:`apply` returns the next.

    Attributes:
        registered: By acquisition, withdrawn ones included, in the order of registration.
        withdrawn: By acquisition.
        claims: By key: the latest claim.
        runs: By run: the key it claimed. A run keeps its key for life.
    """

    registered: Mapping[str, Registered] = field(default_factory=lambda: _EMPTY)
    withdrawn: Mapping[str, Withdrawn] = field(default_factory=lambda: _EMPTY)
    claims: Mapping[str, Claim] = field(default_factory=lambda: _EMPTY)
    runs: Mapping[str, str] = field(default_factory=lambda: _EMPTY)

    @classmethod
    def from_entries(cls, entries: Iterable[Entry], before: State | None = None) -> State:
        """Fold a chain.

        Args:
            entries: Oldest first, as :meth:`Chain.entries` gives them.
            before: State after earlier entries.

        Raises:
            BadDataError: If the events tell an impossible history, naming the entry.
        """
        state = before or cls()
        for entry in entries:
            where = f"operations ledger, entry {entry.seq}"
            event = parse_event(entry.body, where)
            try:
                state = state.apply(event, datetime.fromisoformat(entry.time))
            except ValueError as error:
                raise BadDataError(
                    f"{where}: {error}",
                    next_step="something else than these components wrote it: find out what, and restore the "
                    "chain from a backup",
                ) from error
        return state

    @property
    def pending(self) -> dict[str, str]:
        """Return the catalogue hash of each acquisition to train with: registered, not withdrawn."""
        return {
            name: event.catalogue_sha256
            for name, event in sorted(self.registered.items())
            if name not in self.withdrawn
        }

    @property
    def trained(self) -> set[str]:
        """Return the acquisitions that some finished training took."""
        return {
            name for claim in self.claims.values() if claim.succeeded for name in claim.claimed.acquisitions
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
        match event:
            case Registered():
                _require(event.acquisition not in self.registered, f"{event.acquisition} is registered twice")
                return replace(self, registered={**self.registered, event.acquisition: event})
            case Withdrawn():
                _require(event.acquisition in self.registered, f"{event.acquisition} is not registered")
                _require(event.acquisition not in self.withdrawn, f"{event.acquisition} is withdrawn twice")
                return replace(self, withdrawn={**self.withdrawn, event.acquisition: event})
            case Claimed():
                return self._claimed(event, time)
            case Renewed():
                claim = self._held(event.key, event.run)
                _require(claim.outcome is None, "the claim has ended")
                return self._with_claim(replace(claim, alive=max(claim.alive, time)))
            case Succeeded() | Failed():
                claim = self._held(event.key, event.run)
                _require(not claim.succeeded, "the key is trained already")
                failures = (
                    claim.after_failure(event.failure_class) if isinstance(event, Failed) else claim.failures
                )
                return self._with_claim(replace(claim, outcome=event, failures=failures))

    def _claimed(self, event: Claimed, time: datetime) -> State:
        _require(
            event.key == training_key(event.acquisitions, event.code, event.params),
            "the key does not fit the claim",
        )
        _require(event.acquisitions == self.pending, "the claim is not for the pending acquisitions")
        _require(self.runs.get(event.run, event.key) == event.key, f"{event.run} claims a second key")
        before = self.claims.get(event.key)
        _require(before is None or not before.succeeded, "the key is trained already")
        failures: Mapping[str, int] = _EMPTY
        if before is not None:
            silent = before.outcome is None and before.run != event.run
            failures = before.after_failure(FailureKind.NO_RECORD) if silent else before.failures
        return replace(
            self,
            claims={**self.claims, event.key: Claim(event, time, failures=failures)},
            runs={**self.runs, event.run: event.key},
        )

    def _held(self, key: str, run: str) -> Claim:
        claim = self.claims.get(key)
        if claim is None or claim.run != run:
            raise ValueError(f"{run} does not hold the claim")
        return claim

    def _with_claim(self, claim: Claim) -> State:
        return replace(self, claims={**self.claims, claim.claimed.key: claim})


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
