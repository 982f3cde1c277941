"""Reading of a ledger's state from a snapshot and the entries after it.

A snapshot (``ledger/operations.snapshot.json``) is a cache, never a truth. One that is damaged, names an
entry that the chain does not hold, or is not continued by an unbroken chain, is ignored with a warning, and
the chain is folded from its first entry. There is one, which is written over: kept side by side, snapshots
would grow with the square of the chain's length.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from components.contract.errors import BadDataError, MissingInputError, ResourceError, SourceUnavailableError
from components.contract.hashing import canonical_json, seal
from components.contract.keys import snapshot_key
from components.lib.ledger.chain import Chain, Entry
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked, unseal
from components.lib.operations.events import Claimed, Failed, Registered, Sha256, Succeeded, Withdrawn
from components.lib.operations.state import Claim, EarlierClaim, State

EVERY = 100
"""Entries after which whoever appends writes a snapshot anew."""

FORM: Literal[2] = 2
"""Form of a snapshot's content; the first form did not state any."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """State of the chain as it was read.

    Attributes:
        head: Last entry; None if the chain is empty.
        state: State after it, without signs of life.
        folded: Entries that were folded for it, those of the snapshot not counted.
    """

    head: Entry | None
    state: State
    folded: int

    @property
    def from_first(self) -> bool:
        """Return whether it was folded from the first entry, without a snapshot."""
        return self.head is None or self.folded == self.head.seq


@dataclass(frozen=True, slots=True, kw_only=True)
class _SavedEarlier:
    """Earlier claim of a snapshot; see :class:`EarlierClaim`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    run: str
    started: AwareDatetime
    ended: AwareDatetime
    failure_class: str
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _SavedClaim:
    """Claim of a snapshot; see :class:`Claim`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    claimed: Claimed
    alive: AwareDatetime
    outcome: Succeeded | Failed | None
    failures: dict[str, int]
    registered: Annotated[int, Field(ge=0)]
    withdrawn: Annotated[int, Field(ge=0)]
    started: AwareDatetime | None
    ended: AwareDatetime | None
    earlier: tuple[_SavedEarlier, ...]

    @classmethod
    def of(cls, claim: Claim) -> _SavedClaim:
        """Return a claim as a snapshot keeps it."""
        return cls(
            claimed=claim.claimed,
            alive=claim.alive,
            outcome=claim.outcome,
            failures=dict(claim.failures),
            registered=claim.registered,
            withdrawn=claim.withdrawn,
            started=claim.started,
            ended=claim.ended,
            earlier=tuple(_SavedEarlier(**asdict(one)) for one in claim.earlier),
        )

    @property
    def claim(self) -> Claim:
        """Claim that it keeps."""
        return Claim(
            self.claimed,
            self.alive,
            self.outcome,
            self.failures,
            self.registered,
            self.withdrawn,
            self.started,
            self.ended,
            tuple(EarlierClaim(**asdict(one)) for one in self.earlier),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """Content of a snapshot: a state, and number and hash of the entry after which it holds."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    seq: Annotated[int, Field(ge=1)]
    hash: Sha256
    registered: tuple[Registered, ...]
    withdrawn: tuple[Withdrawn, ...]
    claims: tuple[_SavedClaim, ...]
    runs: dict[str, Sha256]
    times: dict[str, AwareDatetime]
    form: Literal[2]

    @classmethod
    def of(cls, head: Entry, state: State) -> _Snapshot:
        """Return the snapshot of a state after ``head``."""
        return cls(
            seq=head.seq,
            hash=head.hash,
            registered=tuple(state.registered.values()),
            withdrawn=tuple(state.withdrawn.values()),
            claims=tuple(map(_SavedClaim.of, state.claims.values())),
            runs=dict(state.runs),
            times=dict(state.times),
            form=FORM,
        )

    @property
    def state(self) -> State:
        """State that it holds."""
        return State(
            {event.acquisition: event for event in self.registered},
            {event.acquisition: event for event in self.withdrawn},
            {saved.claimed.key: saved.claim for saved in self.claims},
            self.runs,
            self.times,
        )

    def record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        record: dict[str, Any] = _RECORDS.dump_python(self, mode="json", by_alias=True)
        return record


_RECORDS: TypeAdapter[_Snapshot] = TypeAdapter(_Snapshot)


class SnapshotReader:
    """Reader of a chain's state that also writes its snapshots.

    Args:
        objects: The store.
        chain: The chain of events.
        prefix: Prefix of the chain.
    """

    def __init__(self, objects: ObjectStore, chain: Chain, prefix: str) -> None:
        self._objects = objects
        self._chain = chain
        self._key = snapshot_key(prefix)

    def read(self, known: View | None = None) -> View:
        """Return the present view.

        Args:
            known: View as it was read before: only what follows is read.

        Raises:
            BadDataError: If the chain is broken, as a fold from its first entry finds it.
        """
        beginning = "snapshot" if known is None or known.head is None else "earlier reading"
        try:
            start = self._snapshot() if beginning == "snapshot" else known
            if start is not None:
                return self._read_on(start)
        except BadDataError as error:
            LOG.warning("%s ignored, the ledger is read from its first entry: %s", beginning, error.message)
        entries = self._chain.entries()
        return View(entries[-1] if entries else None, State.from_entries(entries), len(entries))

    def save(self, view: View) -> View:
        """Write the snapshot anew if many entries were folded since; return the view as it is by then."""
        if view.head is None or view.folded < EVERY:
            return view
        try:
            self._objects.put(self._key, seal(_Snapshot.of(view.head, view.state).record()))
        except (SourceUnavailableError, ResourceError) as error:  # the entries themselves are written
            LOG.warning("no snapshot was written: %s", error.message)
            return view
        return View(view.head, view.state, 0)

    def compare(self, right: View) -> int | None:
        """Compare what a reader of the snapshot sees with a view that was folded from the first entry.

        Args:
            right: The view; what was appended since is added to both.

        Returns:
            Number of the entry after which the snapshot holds; None if there is none.

        Raises:
            BadDataError: If it is damaged, or leads to another state than the entries do.
        """
        start = self._snapshot()
        if start is None or start.head is None:
            return None
        try:
            seen, right = self._read_on(start), self.read(right)
            while _seq(seen) != _seq(right):
                seen, right = self._read_on(seen), self.read(right)
        except BadDataError as error:
            raise self._wrong(f"the ledger does not go on from it: {error.message}") from error
        assert seen.head is not None
        states = (_Snapshot.of(seen.head, view.state).record() for view in (seen, right))
        if len(set(map(canonical_json, states))) > 1:
            raise self._wrong(f"it is not what the entries up to {start.head.seq} add up to")
        return start.head.seq

    def _snapshot(self) -> View | None:
        snapshot = self._read()
        if snapshot is None:
            return None
        head = self._chain.entry(snapshot.seq, snapshot.hash)
        if head is None:
            raise self._wrong(f"it follows an entry {snapshot.seq} that the ledger does not hold")
        return View(head, snapshot.state, 0)

    def _read(self) -> _Snapshot | None:
        try:
            content = self._objects.get(self._key)
        except MissingInputError:
            return None
        name = f"{self._objects.uri}/{self._key}"
        record = unseal(content, name=name)
        if "claims" in record and "form" not in record:  # the first form, without times: made anew
            return None
        return checked(record, _Snapshot, name=name)

    def _read_on(self, view: View) -> View:
        assert view.head is not None
        entries = self._chain.after(view.head)
        if not entries:
            return view
        return View(entries[-1], State.from_entries(entries, view.state), view.folded + len(entries))

    def _wrong(self, why: str) -> BadDataError:
        return BadDataError(
            f"{self._objects.uri}/{self._key}: {why}",
            next_step="find out who wrote it, and remove it: an append to a long ledger makes it anew",
        )


def _seq(view: View) -> int:
    return 0 if view.head is None else view.head.seq
