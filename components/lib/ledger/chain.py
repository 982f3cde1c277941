"""Chain of numbered entries, each an object that was created once and names the hash of the one before.

An append creates the object of the next number if there is none: of two writers who saw the same head,
exactly one succeeds. A changed, removed, inserted or moved entry breaks the chain. A missing tail cannot show
in a chain, so its length is noted beside it after each append (``<prefix>.head.json``): a chain shorter than
the note has lost entries. The note may lag behind (a crash), never run ahead.

The chain makes tampering evident, not impossible: whoever can write to the store can write a new history.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components.contract import keys
from components.contract.errors import BadDataError, MissingInputError, SourceUnavailableError
from components.contract.hashing import canonical_json, sha256_json
from components.lib.objects.protocol import ObjectStore, get_many
from components.lib.objects.sealed import seal, unseal

GENESIS = "0" * 64
"""``prev_hash`` of the first entry."""

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
            known: The beginning, as it was read before: only what follows is read.

        Raises:
            BadDataError: If an entry is changed, missing, inserted or moved, naming it.
        """
        numbers = self._numbers()
        if len(numbers) < len(known):
            raise self._broken(len(numbers) + 1, "it is missing")
        new = numbers[len(known) :]
        try:
            contents = get_many(self._objects, [self._key(number) for number in new])
        except MissingInputError as error:
            raise self._broken(new[0], "it, or one after it, was removed just now") from error
        entries = list(known)
        for number, content in zip(new, contents, strict=True):
            entries.append(self._read(number, content, entries[-1] if entries else None))
        return entries

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
        """
        if not self._objects.create(self._key(entry.seq), entry.content()):
            raise HeadMovedError(
                f"{self.uri}: another process added entry {entry.seq} first",
                next_step="run the command again: it will see the new entry",
            )
        self._objects.put(self._note, seal({"seq": entry.seq, "hash": entry.hash}))

    def verify(self) -> list[Entry]:
        """Return all entries as :meth:`entries` does, the noted length checked too.

        Raises:
            BadDataError: If the chain is broken, or shorter than it was once.
        """
        # The note is read first: an entry that is appended meanwhile must not look like a missing one.
        noted = self._noted()
        entries = self.entries()
        if noted is not None:
            seq, head = noted
            if seq > len(entries):
                raise self._broken(len(entries) + 1, f"it is missing: the chain once had {seq} entries")
            if entries[seq - 1].hash != head:
                raise self._broken(seq, "it is not the one that was noted when it was written")
        return entries

    @property
    def _note(self) -> str:
        return keys.head_key(self._prefix)

    def _noted(self) -> tuple[int, str] | None:
        try:
            content = self._objects.get(self._note)
        except MissingInputError:
            return None
        note = unseal(content, name=f"{self._objects.uri}/{self._note}")
        return int(note["seq"]), str(note["hash"])

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

    def _read(self, number: int, content: bytes, before: Entry | None) -> Entry:
        try:
            fields = json.loads(content)
            if not isinstance(fields, dict) or set(fields) != _FIELDS or not isinstance(fields["body"], dict):
                raise ValueError("not the fields of an entry")
            entry = Entry(**fields)
            if not entry.intact or entry.content() != content:
                raise self._broken(number, "its hash does not fit its content")
        except (ValueError, TypeError, RecursionError) as error:
            raise self._broken(number, "it is not an entry") from error
        if entry.seq != number or entry.prev_hash != (GENESIS if before is None else before.hash):
            raise self._broken(number, "it does not follow the entry before it")
        return entry

    def _broken(self, number: int, why: str) -> BadDataError:
        return BadDataError(
            f"ledger {self.uri}, entry {number}: {why}",
            next_step="the history was changed by other means: restore the object from a backup or an older "
            "version of it; nothing is added to a broken chain",
        )
