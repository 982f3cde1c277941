"""Chain of numbered entries, each an object that was created once and names the hash of the one before.

An append creates the object of the next number if there is none: of two writers who saw the same head,
exactly one succeeds. A changed, removed, inserted or moved entry breaks the chain. A missing tail cannot show
in a chain, so its length is noted beside it after each append (``<prefix>.head.json``): a chain shorter than
the note has lost entries. Every read and every append compares the two, so that a lost tail is never written
over. The note may lag behind (a crash after the entry; the next append puts it right), never run ahead.

The chain makes tampering evident, not impossible: whoever can write to the store can write a new history.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from components.contract import keys
from components.contract.errors import BadDataError, MissingInputError, SourceUnavailableError
from components.contract.hashing import canonical_json, seal, sha256_json
from components.lib.objects.protocol import ObjectStore, get_many
from components.lib.objects.sealed import parse_sealed

GENESIS = "0" * 64
"""``prev_hash`` of the first entry."""

_LOST = "it is missing: the chain once had {} entries"
_OTHER = "it is not the one that was noted when it was written"
_FOLLOWS = "it does not follow the entry before it"
_REPAIR_NOTE = (
    "find out who wrote it, and restore the object from a backup or an older version of it; a champions' "
    "ledger whose last entry the registry confirms is noted anew by `python -m components.promote verify "
    "--repair`. Nothing is added to the ledger until then"
)

_FIELDS = {"seq", "time", "prev_hash", "body", "hash"}


class HeadMovedError(SourceUnavailableError):
    """Signal that another process appended first: read the chain, decide anew, append again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Entry of a chain.

    Attributes:
        seq: 1, 2, 3, ...
        time: UTC, ISO 8601, seconds; by the writer's clock.
        prev_hash: Hash of the entry before, ``GENESIS`` for the first.
        body: What the chain records, JSON values.
        hash: SHA-256 of all of this as canonical JSON.
    """

    seq: int
    time: str
    prev_hash: str
    body: Mapping[str, Any]
    hash: str

    def content(self) -> bytes:
        """Return the bytes of the entry's object."""
        return canonical_json({**self._fields(), "hash": self.hash}) + b"\n"

    @property
    def intact(self) -> bool:
        """Return whether the hash fits the other fields."""
        return self.hash == sha256_json(self._fields())

    def _fields(self) -> dict[str, Any]:
        return {"seq": self.seq, "time": self.time, "prev_hash": self.prev_hash, "body": dict(self.body)}

    @classmethod
    def after(cls, head: Entry | None, time: str, body: Mapping[str, Any]) -> Entry:
        """Return the entry that follows ``head``; ``head`` is None for the first."""
        bare = cls(
            seq=1 if head is None else head.seq + 1,
            time=time,
            prev_hash=GENESIS if head is None else head.hash,
            body=body,
            hash="",
        )
        return cls(**{**bare._fields(), "hash": sha256_json(bare._fields())})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadNote:
    """Note of a chain's last entry.

    Attributes:
        seq: Its number.
        hash: Its hash.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    seq: Annotated[int, Field(ge=1, strict=True)]
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def utc_now() -> datetime:
    """Return the present time, UTC."""
    return datetime.now(UTC)


class Chain:
    """Chain of the objects ``<prefix>/000000001.json``, ``<prefix>/000000002.json``, ...

    Args:
        objects: The store.
        prefix: Beginning of the keys, without a slash at its end.
        clock: Function that returns the time of new entries.
    """

    def __init__(self, objects: ObjectStore, prefix: str, clock: Callable[[], datetime] = utc_now) -> None:
        self._objects = objects
        self._prefix = prefix
        self._clock = clock

    @property
    def uri(self) -> str:
        """Location of the chain, for messages."""
        return f"{self._objects.uri}/{self._prefix}"

    def entries(self, known: Sequence[Entry] = ()) -> list[Entry]:
        """Return all entries, oldest first, checked.

        Args:
            known: The beginning, as it was read before: only what follows is read, see :meth:`after`.

        Raises:
            BadDataError: If an entry is changed, missing, inserted or moved, naming it; if the chain is
                shorter than it was once; if the note of its length is damaged.
        """
        if known:
            return [*known, *self.after(known[-1])]
        # The note is read first: an entry that is appended meanwhile must not look like a missing one.
        noted = self._noted()
        entries = self.entries_without_note()
        if noted is not None:
            if noted.seq > len(entries):
                raise self._broken(len(entries) + 1, _LOST.format(noted.seq))
            if entries[noted.seq - 1].hash != noted.hash:
                raise self._broken(noted.seq, _OTHER)
        return entries

    def entries_without_note(self) -> list[Entry]:
        """Return all entries as :meth:`entries` does, whatever the note of the length says."""
        numbers = self._numbers()
        try:
            contents = get_many(self._objects, [self._key(number) for number in numbers])
        except MissingInputError as error:
            raise self._broken(len(numbers), "it, or one before it, was removed just now") from error
        entries: list[Entry] = []
        for number, content in zip(numbers, contents, strict=True):
            entries.append(self._read(number, content, entries[-1] if entries else None))
        return entries

    def after(self, known: Entry) -> list[Entry]:
        """Return the entries that follow ``known``, oldest first, checked; nothing before it is read.

        The number of requests depends on what follows, not on the length of the chain.

        Raises:
            BadDataError: As :meth:`entries` does, for ``known`` and what follows it.
        """
        noted = self._noted()
        last = known.seq if noted is None else max(noted.seq, known.seq)
        try:
            contents = get_many(self._objects, [self._key(n) for n in range(known.seq, last + 1)])
        except MissingInputError as error:
            raise self._broken(known.seq, "it is missing, or one after it") from error
        if contents[0] != known.content():
            raise self._broken(known.seq, _OTHER)
        entries = [known]
        for content in contents[1:]:
            entries.append(self._read(entries[-1].seq + 1, content, entries[-1]))
        # The note may lag behind: entries of writers that have not come to it yet.
        while (following := self._get(entries[-1].seq + 1)) is not None:
            entries.append(self._read(entries[-1].seq + 1, following, entries[-1]))
        if noted is not None and noted.seq >= known.seq and entries[noted.seq - known.seq].hash != noted.hash:
            raise self._broken(noted.seq, _OTHER)
        return entries[1:]

    def entry(self, number: int, sha256: str) -> Entry | None:
        """Return the entry of a number if there is one of this hash; nothing before it is read.

        Raises:
            BadDataError: If it is damaged.
        """
        content = self._get(number)
        entry = None if content is None else self._parse(number, content)
        return entry if entry is not None and entry.hash == sha256 else None

    def append(self, expected_head: Entry | None, body: Mapping[str, Any]) -> Entry:
        """Add an entry after ``expected_head``: the last of :meth:`entries`, None for an empty chain.

        Raises:
            HeadMovedError: If the chain has grown since. Nothing was added then.
        """
        entry = self.next_entry(expected_head, body)
        self.put_entry(entry)
        return entry

    def next_entry(self, expected_head: Entry | None, body: Mapping[str, Any]) -> Entry:
        """Return the entry that :meth:`append` would add, for writers that announce it first."""
        # Through JSON and back: what is compared later is what was written.
        plain = json.loads(canonical_json(body))
        return Entry.after(expected_head, self._clock().isoformat(timespec="seconds"), plain)

    def put_entry(self, entry: Entry) -> None:
        """Add an entry of :meth:`next_entry`.

        Raises:
            HeadMovedError: If the chain has grown since.
            BadDataError: If it has become shorter since, or another one: nothing was added then.
        """
        key, noted = self._key(entry.seq), self._noted()
        if noted is not None and noted.seq >= entry.seq and not self._objects.exists(key):
            raise self._broken(entry.seq, _LOST.format(noted.seq))
        if noted is not None and noted.seq == entry.seq - 1 and noted.hash != entry.prev_hash:
            raise self._broken(noted.seq, _OTHER)
        if not self._objects.create(key, entry.content()):
            raise HeadMovedError(
                f"{self.uri}: another process added entry {entry.seq} first",
                next_step="run the command again: it will see the new entry",
            )
        self._note_head(entry)

    @property
    def note_is_damaged(self) -> bool:
        """Return whether there is a note of the length that says nothing."""
        try:
            self._noted()
        except BadDataError:
            return True
        return False

    def renew_note(self, head: Entry) -> None:
        """Write the note anew; ``head`` must be known, by other means, as the chain's last entry."""
        self._note_head(head)

    def _note_head(self, entry: Entry) -> None:
        """Note ``entry``, or what follows it by then: whoever writes last must not put the note back."""
        while True:
            self._objects.put(self._note, seal({"seq": entry.seq, "hash": entry.hash}))
            following = self._key(entry.seq + 1)
            if not self._objects.exists(following):
                return
            entry = self._read(entry.seq + 1, self._objects.get(following), entry)

    @property
    def _note(self) -> str:
        return keys.head_key(self._prefix)

    def _noted(self) -> HeadNote | None:
        try:
            content = self._objects.get(self._note)
        except MissingInputError:
            return None
        name = f"{self._objects.uri}/{self._note}"
        try:
            return parse_sealed(content, HeadNote, name=name)
        except BadDataError as error:
            raise BadDataError(error.message, next_step=_REPAIR_NOTE) from error

    def _key(self, number: int) -> str:
        return keys.entry_key(self._prefix, number)

    def _numbers(self) -> range:
        start = f"{self._prefix}/"
        found = [info.key for info in self._objects.list(start)]
        for number, key in enumerate(found, start=1):
            named = keys.entry_number(key)
            if named is None or key != self._key(named):
                raise BadDataError(
                    f"ledger {self.uri} holds {key.removeprefix(start)!r}, which is no entry",
                    next_step="find out who wrote it, and move it away",
                )
            if named != number:
                raise self._broken(number, "it is missing")
        return range(1, len(found) + 1)

    def _get(self, number: int) -> bytes | None:
        try:
            return self._objects.get(self._key(number))
        except MissingInputError:
            return None

    def _read(self, number: int, content: bytes, before: Entry | None) -> Entry:
        entry = self._parse(number, content)
        if entry.prev_hash != (GENESIS if before is None else before.hash):
            raise self._broken(number, _FOLLOWS)
        return entry

    def _parse(self, number: int, content: bytes) -> Entry:
        try:
            fields = json.loads(content)
            if not isinstance(fields, dict) or set(fields) != _FIELDS or not isinstance(fields["body"], dict):
                raise ValueError("not the fields of an entry")
            entry = Entry(**fields)
            if type(entry.seq) is not int or datetime.fromisoformat(entry.time).tzinfo is None:
                raise ValueError("no number, or no time in UTC")
            if not entry.intact or entry.content() != content:
                raise self._broken(number, "its hash does not fit its content")
        except (ValueError, TypeError, RecursionError) as error:
            raise self._broken(number, "it is not an entry") from error
        if entry.seq != number:
            raise self._broken(number, _FOLLOWS)
        return entry

    def _broken(self, number: int, why: str) -> BadDataError:
        return BadDataError(
            f"ledger {self.uri}, entry {number}: {why}",
            next_step="the history was changed by other means: restore the object from a backup or an older "
            "version of it; nothing is added to a broken chain",
        )
