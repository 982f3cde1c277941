"""The history of one registered model's champion: a chain of changes in an object store.

MLflow's alias is a plain upsert without history, so the history lives here. What a chain cannot show by
itself is a missing tail: the head's hash is kept a second time, as a tag of the registered model (see
``champion.py``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from components.contract.errors import BadDataError
from components.contract.keys import CHAMPIONS
from components.contract.variables import LONGEST_ACTOR
from components.lib.ledger.chain import GENESIS, Chain
from components.lib.ledger.chain import Entry as ChainEntry
from components.lib.ledger.copied import CopiedChain
from components.lib.objects.opening import OBJECTS, objects_from_environment, open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked
from components.lib.registry.approvals import Approvals

Action = Literal["promote", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionChange:
    """One change of a registered model's champion.

    Attributes:
        action: ``promote`` or ``rollback``.
        model: Registered model.
        version: Its champion from now on; None where a champion is gone and no earlier one is intact.
        previous_version: Its champion before, None where there was none.
        decision: SHA-256 of the decision record that led to it; for a rollback, of its reason.
        reason: Reason in words.
        actor: Person, or run and account, that made it; None in entries of former code.
        files: SHA-256 of the new champion's files by name; None where there is none, and in former entries.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    action: Action
    model: str
    version: str | None
    previous_version: str | None
    decision: str
    reason: str
    actor: Annotated[str, Field(min_length=1, max_length=LONGEST_ACTOR)] | None = None
    files: dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] | None = None

    def body(self) -> dict[str, Any]:
        """Return the fields as the chain keeps them; those that former code did not have only where set."""
        fields = asdict(self)
        return {
            name: value
            for name, value in fields.items()
            if value is not None or name not in {"actor", "files"}
        }


@dataclass(frozen=True, slots=True)
class ChampionEntry:
    """A change as it stands in the chain.

    Attributes:
        chained: Its place in the chain.
        change: The change.
    """

    chained: ChainEntry
    change: ChampionChange

    @property
    def seq(self) -> int:
        """Return the entry's number: 1, 2, 3, ..."""
        return self.chained.seq

    @property
    def time(self) -> str:
        """Return the time, UTC, ISO 8601, seconds."""
        return self.chained.time

    @property
    def hash(self) -> str:
        """Return the entry's SHA-256 in the chain."""
        return self.chained.hash

    @property
    def action(self) -> Action:
        """Return ``promote`` or ``rollback``."""
        return self.change.action

    @property
    def version(self) -> str | None:
        """Return the champion from now on, None if there is none any more."""
        return self.change.version

    @property
    def previous_version(self) -> str | None:
        """Return the champion before, None for the first."""
        return self.change.previous_version


class ChampionLedger:
    """The ledger of one registered model; what was read once is not read again.

    Args:
        chain: Chain that keeps it.
        model: Registered model.
    """

    def __init__(self, chain: Chain, model: str) -> None:
        self.chain = chain
        self.model = model
        self._known: list[ChampionEntry] = []

    @property
    def uri(self) -> str:
        """Return its place, for messages."""
        return self.chain.uri

    def entries(self) -> list[ChampionEntry]:
        """Return all entries, oldest first, chain and history checked.

        Raises:
            BadDataError: If the chain is broken, shorter than it was once, or tells an impossible history,
                naming the entry.
        """
        try:
            chained = self.chain.entries([entry.chained for entry in self._known])
        except BadDataError:
            if not self._known:
                raise
            chained = self.chain.entries()  # says what is wrong, from the first entry on
        self._known = self._parse(chained)
        return list(self._known)

    def entries_without_note(self) -> list[ChampionEntry]:
        """Return :meth:`entries`, whatever the chain's note of its length says."""
        return self._parse(self.chain.entries_without_note())

    def next_entry(self, head: ChampionEntry | None, change: ChampionChange) -> ChampionEntry:
        """Return the entry that would follow ``head``, not yet written."""
        return ChampionEntry(
            self.chain.next_entry(None if head is None else head.chained, change.body()), change
        )

    def append(self, entry: ChampionEntry) -> None:
        """Write an entry of :meth:`next_entry`.

        Raises:
            HeadMovedError: If another process was first.
        """
        self.chain.put_entry(entry.chained)

    def _parse(self, chained: Sequence[ChainEntry]) -> list[ChampionEntry]:
        entries, stack = list[ChampionEntry](), list[str]()
        for number, link in enumerate(chained):
            known = self._known[number] if number < len(self._known) else None
            same = known is not None and known.chained == link
            change = known.change if known is not None and same else self._read(link.body, link.seq)
            if change.model != self.model or not _continues(stack, change):
                raise self._broken(link.seq, "it tells another history than the entries before it")
            _apply(stack, change)
            entries.append(ChampionEntry(link, change))
        return entries

    def _read(self, body: Mapping[str, Any], seq: int) -> ChampionChange:
        try:
            return checked(body, ChampionChange, name="the change")
        except BadDataError as error:
            raise self._broken(seq, f"it is no change of a champion: {error.message}") from error

    def _broken(self, seq: int, why: str) -> BadDataError:
        return BadDataError(
            f"ledger {self.uri}, entry {seq}: {why}",
            next_step="the history was changed by other means: restore it from a backup and compare it with "
            "the decision records kept with the model versions in MLflow",
        )


@dataclass(frozen=True, slots=True)
class ChampionLedgers:
    """Ledgers of all registered models.

    Attributes:
        objects: Object store that keeps them.
        prefix: Prefix of the chains, empty or without a slash at the end.
        whole: True reads every entry by itself, as a verification does, and no copy of them.
    """

    objects: ObjectStore
    prefix: str = ""
    whole: bool = False
    _opened: dict[str, ChampionLedger] = field(default_factory=dict, init=False, compare=False, repr=False)

    def of(self, model: str) -> ChampionLedger:
        """Return one model's ledger, the same one each time: what it has read, it knows."""
        if model not in self._opened:
            prefix = f"{self.prefix}/{model}" if self.prefix else model
            self._opened[model] = ChampionLedger(self._chain(prefix), model)
        return self._opened[model]

    def approvals(self, model: str) -> Approvals:
        """Return one model's approvals: in ``approvals`` beside the histories."""
        above = self.prefix.rpartition("/")[0]
        return Approvals(self._chain("/".join(filter(None, (above, "approvals", model)))), model)

    def _chain(self, prefix: str) -> Chain:
        return Chain(self.objects, prefix) if self.whole else CopiedChain(self.objects, prefix)


def open_ledgers(ledger: str) -> ChampionLedgers:
    """Open the champions' history.

    Args:
        ledger: A folder or an ``s3://`` URI. Where ``STORMSIGHT_OBJECTS`` is set, that store has it instead,
            below ``ledger/champions``: the place that ``promote.ledger`` names by default as well, so that
            ``dvc repro``, Airflow's local mode and every command share one history.
    """
    if os.environ.get(OBJECTS):
        return ChampionLedgers(objects_from_environment(), CHAMPIONS)
    store, found, rest = ledger.rstrip("/").rpartition(f"/{CHAMPIONS}")
    if found and not rest:  # the same store and keys as above, not a store of its own inside it
        return ChampionLedgers(open_objects(store), CHAMPIONS)
    return ChampionLedgers(open_objects(ledger))


def head_of(entries: Sequence[ChampionEntry]) -> str:
    """Return the hash of the last entry."""
    return entries[-1].hash if entries else GENESIS


def champion_of(entries: Sequence[ChampionEntry]) -> str | None:
    """Return the version that the last entry made the champion; None if there is none."""
    return entries[-1].version if entries else None


def decision_of(entries: Sequence[ChampionEntry]) -> str:
    """Return the SHA-256 of the decision that promoted the champion, which a rollback may have restored.

    Empty if there is none.
    """
    version = champion_of(entries)
    promoted = (e.change.decision for e in reversed(entries) if (e.action, e.version) == ("promote", version))
    return "" if version is None else next(promoted)


def pinned_files(entries: Sequence[ChampionEntry], version: str) -> dict[str, str]:
    """Return the SHA-256 of a version's files by name, as its latest entry has them; may be empty."""
    found = (entry.change.files for entry in reversed(entries) if entry.version == version)
    return next((files for files in found if files is not None), {})


def champions(entries: Sequence[ChampionEntry]) -> list[str]:
    """Return the stack of champions after ``entries``.

    A promotion adds one, a rollback removes those above the one that it restores.
    """
    stack: list[str] = []
    for entry in entries:
        _apply(stack, entry.change)
    return stack


def _apply(stack: list[str], change: ChampionChange) -> None:
    """Carry out a change on the stack; a rollback leaves it empty where it restores none."""
    if change.action == "promote" and change.version is not None:
        stack.append(change.version)
        return
    del stack[-1:]
    while stack and stack[-1] != change.version:
        stack.pop()


def _continues(stack: Sequence[str], change: ChampionChange) -> bool:
    """Check that ``change`` starts from the present champion; a rollback goes to an earlier one."""
    if change.previous_version != (stack[-1] if stack else None):
        return False
    if change.action == "promote":
        return change.version is not None
    return bool(stack) and (change.version is None or change.version in stack[:-1])
