"""An append-only, hash-chained history of one registered model's champion.

MLflow's alias is a plain upsert without history, so the history lives here: one JSON line per change, each
carrying the hash of the line before it. A changed, removed, inserted or moved line breaks the chain. What a
chain cannot show by itself is a missing tail: the head's hash is therefore kept a second time, as a tag of
the registered model (see ``champion.py``).

The chain makes tampering evident, not impossible: whoever can write the ledger file and the registry both can
write a new history.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from components.lib.errors import BadDataError
from components.lib.files import sha256_bytes

Action = Literal["promote", "rollback"]

GENESIS = "0" * 64
"""``prev_hash`` of the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change of the champion.

    Attributes:
        seq: 1, 2, 3, ...
        time: UTC, ISO 8601, seconds.
        action: What was done.
        model: Registered model.
        version: Its champion from now on.
        previous_version: Its champion before, None for the first.
        decision: SHA-256 of the decision record that led to it; for a rollback, of its reason.
        reason: In words.
        prev_hash: Hash of the entry before, ``GENESIS`` for the first.
        hash: SHA-256 of all the other fields as canonical JSON.
    """

    seq: int
    time: str
    action: Action
    model: str
    version: str
    previous_version: str | None
    decision: str
    reason: str
    prev_hash: str
    hash: str = ""

    def sealed(self) -> Entry:
        """The entry with its hash filled in."""
        return replace(self, hash=self._digest())

    @property
    def intact(self) -> bool:
        """Whether the hash fits the fields."""
        return self.hash == self._digest()

    def line(self) -> bytes:
        """The entry as it stands in the file."""
        return _canonical(asdict(self)) + b"\n"

    def _digest(self) -> str:
        fields = asdict(self)
        del fields["hash"]
        return sha256_bytes(_canonical(fields))


class Ledger:
    """The ledger file of one registered model, ``<folder>/<model>.jsonl``."""

    def __init__(self, folder: Path, model: str) -> None:
        self.model = model
        self.path = folder / f"{model}.jsonl"
        self._lock = folder / f"{model}.lock"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the ledger for a read-decide-write; others on this machine wait."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield  # closing the file releases the lock, also when the process dies

    def entries(self) -> list[Entry]:
        """All entries, oldest first, the chain checked.

        Raises:
            BadDataError: If a line is malformed or the chain is broken, naming the line.
        """
        return self._parse(self._content())

    def sealed_entry(
        self, action: Action, version: str, previous: str | None, *, decision: str, reason: str
    ) -> Entry:
        """The entry that would come next, not yet written. Call it within :meth:`locked`.

        Raises:
            BadDataError: If the ledger is broken: nothing is added to a broken chain.
        """
        entries = self.entries()
        return Entry(
            seq=len(entries) + 1,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            action=action,
            model=self.model,
            version=version,
            previous_version=previous,
            decision=decision,
            reason=reason,
            prev_hash=head_of(entries),
        ).sealed()

    def append(self, entry: Entry) -> None:
        """Add an entry of :meth:`sealed_entry` and sync it to the disk. Call it within :meth:`locked`."""
        created = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, entry.line())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if created:
            _sync_folder(self.path.parent)

    def drop_torn_tail(self, head: str) -> bool:
        """Remove a last line that a crash left half written, if the entry before it is the known head.

        Call it within :meth:`locked`.

        Args:
            head: Hash of the last entry that was completed, ``GENESIS`` for none.

        Returns:
            Whether a torn line was removed.
        """
        content = self._content()
        whole, newline, torn = content.rpartition(b"\n")
        if not torn:
            return False
        entries = self._parse(whole + newline)
        if head_of(entries) != head:
            return False
        with self.path.open("r+b") as handle:
            handle.truncate(len(whole) + len(newline))
            os.fsync(handle.fileno())
        return True

    def _content(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    def _parse(self, content: bytes) -> list[Entry]:
        entries: list[Entry] = []
        if content and not content.endswith(b"\n"):
            raise self._broken(content.count(b"\n") + 1, "the line is incomplete")
        for number, line in enumerate(content.splitlines(), start=1):
            entry = self._read(number, line)
            if not entry.intact:
                raise self._broken(number, "its hash does not fit its content")
            if entry.seq != number or entry.prev_hash != head_of(entries):
                raise self._broken(number, "it does not follow the line before it")
            if entry.model != self.model or not _continues(entries, entry):
                raise self._broken(number, "it tells another history than the lines before it")
            entries.append(entry)
        return entries

    def _read(self, number: int, line: bytes) -> Entry:
        try:
            fields = json.loads(line)
            entry = Entry(**fields)
        except (ValueError, TypeError) as error:
            raise self._broken(number, "it is not a ledger entry") from error
        if entry.line() != line + b"\n":
            raise self._broken(number, "it is not written as the ledger writes")
        return entry

    def _broken(self, number: int, why: str) -> BadDataError:
        return BadDataError(
            f"ledger {self.path}, line {number}: {why}",
            next_step="the history was changed by other means: restore the file from a backup and compare it "
            "with the decision records kept with the model versions in MLflow",
        )


def head_of(entries: list[Entry]) -> str:
    """Hash that the next entry points back to."""
    return entries[-1].hash if entries else GENESIS


def champions(entries: list[Entry]) -> list[str]:
    """The stack of champions after ``entries``: a promotion adds one, a rollback removes one."""
    stack: list[str] = []
    for entry in entries:
        if entry.action == "promote":
            stack.append(entry.version)
        else:
            stack.pop()
    return stack


def _continues(entries: list[Entry], entry: Entry) -> bool:
    """Whether ``entry`` starts from the champion that ``entries`` leave, and a rollback goes one back."""
    stack = champions(entries)
    if entry.previous_version != (stack[-1] if stack else None):
        return False
    return entry.action == "promote" or (entry.action == "rollback" and stack[-2:-1] == [entry.version])


def _canonical(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
