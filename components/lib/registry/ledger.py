"""The history of one registered model's champion: a chain of changes in an object store.

MLflow's alias is a plain upsert without history, so the history lives here. What a chain cannot show by
itself is a missing tail: the head's hash is kept a second time, as a tag of the registered model (see
``champion.py``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from components.contract.errors import BadDataError
from components.contract.keys import CHAMPIONS
from components.lib.ledger.chain import GENESIS, Chain
from components.lib.ledger.chain import Entry as ChainEntry
from components.lib.objects.opening import OBJECTS, objects_from_environment, open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.registry.former import FormerLedger, import_former

Action = Literal["promote", "rollback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to the champion.

    Attributes:
        action: What was done.
        model: Registered model.
        version: Its champion from now on.
        previous_version: Its champion before, None for the first.
        decision: SHA-256 of the decision record that led to it; for a rollback, of its reason.
        reason: In words.
        former_hash: Hash of the line of the former ledger file that it was imported from.
    """

    action: Action
    model: str
    version: str
    previous_version: str | None
    decision: str
    reason: str
    former_hash: str | None = None

    def body(self) -> dict[str, Any]:
        """For the chain."""
        return {name: value for name, value in asdict(self).items() if name != "former_hash" or value}


@dataclass(frozen=True, slots=True)
class Entry:
    """A change as it stands in the chain.

    Attributes:
        chained: Its place in the chain.
        change: What happened.
    """

    chained: ChainEntry
    change: Change

    @property
    def seq(self) -> int:
        """1, 2, 3, ..."""
        return self.chained.seq

    @property
    def time(self) -> str:
        """UTC, ISO 8601, seconds."""
        return self.chained.time

    @property
    def hash(self) -> str:
        """Of the entry, as the chain has it."""
        return self.chained.hash

    @property
    def action(self) -> Action:
        """What was done."""
        return self.change.action

    @property
    def version(self) -> str:
        """The champion from now on."""
        return self.change.version

    @property
    def previous_version(self) -> str | None:
        """The champion before."""
        return self.change.previous_version

    def known_as(self, digest: str) -> bool:
        """Whether ``digest`` names this entry: by its hash, or by the one it had in the former file."""
        return digest in {self.hash, self.change.former_hash}


class Ledger:
    """The ledger of one registered model.

    Args:
        chain: Where it is kept.
        model: Registered model.
        former: The file that held it before there were chains; imported once.
    """

    def __init__(self, chain: Chain, model: str, former: FormerLedger | None = None) -> None:
        self.chain = chain
        self.model = model
        self._former = former

    @property
    def uri(self) -> str:
        """Where it is, for messages."""
        return self.chain.uri

    def entries(self) -> list[Entry]:
        """All entries, oldest first, chain and history checked.

        Raises:
            BadDataError: If the chain is broken, or tells an impossible history, naming the entry.
        """
        if self._former is not None:
            import_former(self._former, self.chain)
        return self._parse(self.chain.entries())

    def verify(self) -> list[Entry]:
        """As :meth:`entries`, the noted length of the chain checked too."""
        self.chain.verify()
        return self.entries()

    def next_entry(self, head: Entry | None, change: Change) -> Entry:
        """The entry that would follow ``head``, not yet written."""
        return Entry(self.chain.next_entry(None if head is None else head.chained, change.body()), change)

    def append(self, entry: Entry) -> None:
        """Write an entry of :meth:`next_entry`.

        Raises:
            HeadMovedError: If another process was first.
        """
        self.chain.put_entry(entry.chained)

    def _parse(self, chained: Sequence[ChainEntry]) -> list[Entry]:
        entries: list[Entry] = []
        for link in chained:
            change = self._read(link.body, link.seq)
            if change.model != self.model or not _continues(entries, change):
                raise self._broken(link.seq, "it tells another history than the entries before it")
            entries.append(Entry(link, change))
        return entries

    def _read(self, body: Mapping[str, Any], seq: int) -> Change:
        try:
            return Change(**body)
        except TypeError as error:
            raise self._broken(seq, "it is no change of a champion") from error

    def _broken(self, seq: int, why: str) -> BadDataError:
        return BadDataError(
            f"ledger {self.uri}, entry {seq}: {why}",
            next_step="the history was changed by other means: restore it from a backup and compare it with "
            "the decision records kept with the model versions in MLflow",
        )


@dataclass(frozen=True, slots=True)
class Ledgers:
    """Where the ledgers of all registered models are.

    Attributes:
        objects: The store.
        prefix: Of the chains, empty or without a slash at the end.
        former: Folder of the files that held them before there were chains.
    """

    objects: ObjectStore
    prefix: str = ""
    former: Path | None = None

    def of(self, model: str) -> Ledger:
        """One model's ledger."""
        chain = Chain(self.objects, f"{self.prefix}/{model}" if self.prefix else model)
        return Ledger(chain, model, None if self.former is None else FormerLedger(self.former, model))


def open_ledgers(ledger: str) -> Ledgers:
    """Where the champions' history is kept.

    Args:
        ledger: A folder or an ``s3://`` URI. Where ``STORMSIGHT_OBJECTS`` is set, that store has it instead,
            below ``ledger/champions``.
    """
    former = None if "://" in ledger else Path(ledger)
    if os.environ.get(OBJECTS):
        return Ledgers(objects_from_environment(), CHAMPIONS, former)
    return Ledgers(open_objects(ledger), "", former)


def head_of(entries: Sequence[Entry]) -> str:
    """Hash of the last entry."""
    return entries[-1].hash if entries else GENESIS


def champions(entries: Sequence[Entry]) -> list[str]:
    """The stack of champions after ``entries``: a promotion adds one, a rollback removes one."""
    stack: list[str] = []
    for entry in entries:
        if entry.action == "promote":
            stack.append(entry.version)
        else:
            stack.pop()
    return stack


def _continues(entries: Sequence[Entry], change: Change) -> bool:
    """Whether ``change`` starts from the champion that ``entries`` leave, and a rollback goes one back."""
    stack = champions(entries)
    if change.previous_version != (stack[-1] if stack else None):
        return False
    return change.action == "promote" or (change.action == "rollback" and stack[-2:-1] == [change.version])
