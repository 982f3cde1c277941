"""Chain with a copy of its entries in one object, so that reading it takes few requests.

The copy (``<prefix>.snapshot.json``) is written anew after every ``EVERY`` entries by whoever appends. It is
a cache, never a truth: its entries must form an unbroken chain whose last one is the chain's own. A copy that
does not, or is damaged, is ignored with a warning, and all entries are read.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ConfigDict

from components.contract.errors import BadDataError, MissingInputError, ResourceError, SourceUnavailableError
from components.contract.hashing import canonical_json, seal
from components.contract.keys import snapshot_key
from components.lib.ledger.chain import Chain, Entry
from components.lib.objects.sealed import read_sealed

EVERY = 50
"""Entries after which the copy is written anew: at most so many are read beside it."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Copy:
    __pydantic_config__ = ConfigDict(extra="forbid")

    entries: list[dict[str, Any]]


class CopiedChain(Chain):
    """Chain that is read by its copy and the entries after it; see :class:`Chain`."""

    def entries(self, known: Sequence[Entry] = ()) -> list[Entry]:
        """Return all entries, oldest first; see :meth:`Chain.entries`.

        That an entry of the copy is still there by itself, :meth:`Chain.entries` of a plain chain tells.
        """
        if known:
            return super().entries(known)
        try:
            copied = self._copied()
            if copied:
                return [*copied, *self.after(copied[-1])]
        except BadDataError as error:
            _LOG.warning("copy ignored, the ledger is read entry by entry: %s", error.message)
        return super().entries()

    def put_entry(self, entry: Entry) -> None:
        """Add an entry; see :meth:`Chain.put_entry`. That the copy cannot be written fails nothing."""
        super().put_entry(entry)
        if entry.seq % EVERY == 0:
            try:
                content = seal({"entries": [asdict(one) for one in self.entries()]})
                self._objects.put(self._copy_key, content)
            except (SourceUnavailableError, ResourceError, BadDataError) as error:
                _LOG.warning("no copy of the ledger was written: %s", error.message)

    def _copied(self) -> list[Entry]:
        try:
            copy = read_sealed(self._objects, self._copy_key, _Copy)
        except MissingInputError:
            return []
        entries: list[Entry] = []
        for number, fields in enumerate(copy.entries, start=1):
            content = canonical_json(fields) + b"\n"
            entries.append(self._read(number, content, entries[-1] if entries else None))
        return entries

    @property
    def _copy_key(self) -> str:
        return snapshot_key(self._prefix)
