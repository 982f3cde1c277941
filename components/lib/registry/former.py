"""The ledger as it was kept before: one JSON line per change in ``<folder>/<model>.jsonl``.

It is read, never written. Each line carries the hash of the line before it and its own. Importing keeps that
hash with the entry, so that a registry whose tag still names it agrees with the imported chain.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError
from components.contract.hashing import canonical_json, sha256_bytes
from components.lib.ledger.chain import GENESIS, Chain, Entry, HeadMovedError

_FIELDS = {
    "seq",
    "time",
    "action",
    "model",
    "version",
    "previous_version",
    "decision",
    "reason",
    "prev_hash",
    "hash",
}
_PLACE = {"seq", "time", "prev_hash", "hash"}


@dataclass(frozen=True, slots=True)
class FormerLedger:
    """A former ledger file.

    Attributes:
        folder: Of the files.
        model: Registered model.
    """

    folder: Path
    model: str

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.model}.jsonl"

    def lines(self) -> list[dict[str, Any]]:
        """All whole lines, oldest first, the chain of hashes checked; empty without a file.

        A last line without its end was cut off by a crash before anything was done: it is left out. Should
        it be more than that, the registry's tag names an entry that is missing.

        Raises:
            BadDataError: If a line is malformed or the chain is broken, naming the line.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        found: list[dict[str, Any]] = []
        for number, line in enumerate(content.split(b"\n")[:-1], start=1):
            found.append(self._read(number, line, found[-1]["hash"] if found else GENESIS))
        return found

    def retire(self) -> None:
        """Rename the file: everything in it has been imported."""
        self.path.replace(self.path.with_suffix(".jsonl.imported"))

    def _read(self, number: int, line: bytes, before: str) -> dict[str, Any]:
        try:
            fields = json.loads(line)
        except ValueError as error:
            raise self._broken(number, "it is not a ledger entry") from error
        if not isinstance(fields, dict) or set(fields) != _FIELDS or canonical_json(fields) != line:
            raise self._broken(number, "it is not written as the ledger wrote")
        bare = {name: value for name, value in fields.items() if name != "hash"}
        if sha256_bytes(canonical_json(bare)) != fields["hash"]:
            raise self._broken(number, "its hash does not fit its content")
        if fields["seq"] != number or fields["prev_hash"] != before:
            raise self._broken(number, "it does not follow the line before it")
        return fields

    def _broken(self, number: int, why: str) -> BadDataError:
        return BadDataError(
            f"ledger {self.path}, line {number}: {why}",
            next_step="the history was changed by other means: restore the file from a backup, then run the "
            "command again, which imports it",
        )


def import_former(former: FormerLedger, chain: Chain) -> None:
    """Bring a former file into the chain, once; an import that was cut off is completed.

    Every process that imports writes the same bytes, so any number may do it at once.

    Raises:
        BadDataError: If the file is broken, or the chain holds another history.
    """
    lines = former.lines()
    if not former.path.exists():
        return
    entries = chain.entries()
    head: Entry | None = None
    for number, fields in enumerate(lines):
        body = {name: value for name, value in fields.items() if name not in _PLACE}
        entry = Entry.after(head, fields["time"], {**body, "former_hash": fields["hash"]})
        if number >= len(entries):
            _write(chain, entry)
        elif entries[number] != entry:
            raise BadDataError(
                f"{former.path} and {chain.uri} tell different histories from entry {number + 1} on",
                next_step="find out which of the two is the registry's (its tag ledger_head), and move the "
                "other one away",
            )
        head = entry
    # Another process may have been first.
    if former.path.exists():
        try:
            former.retire()
        except FileNotFoundError:
            return


def _write(chain: Chain, entry: Entry) -> None:
    try:
        chain.put_entry(entry)
    except HeadMovedError:
        if chain.entries()[entry.seq - 1] != entry:
            raise
