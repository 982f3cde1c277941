"""Notices: sources that could not be read, in place of what they hold."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from components.contract.errors import SourceUnavailableError, StormsightError
from components.contract.redaction import redact

T = TypeVar("T")

PATIENCE_S = 2.0
"""Seconds after which a failure counts as silence; an answer takes a fraction of one."""

STORE = "object store"
"""Name of the store of ledgers, records and catalogue."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Failure to read one source.

    Attributes:
        source: Place that was read, in words.
        text: Reason.
        next_step: Action for the reader.
    """

    source: str
    text: str
    next_step: str


@dataclass(slots=True)
class Notices:
    """Notices of one look at all sources.

    Attributes:
        found: The notices.
        failed: Sources that could not be read, with those that were not asked for.
        silent: Stores that did not answer in this look, within :data:`PATIENCE_S`. They are not asked again:
            each question is tried several times, and many of them would take minutes. A store that says no
            at once, as to an account without a right, is asked for the rest.
    """

    found: list[Notice] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)

    def attempt(self, source: str, read: Callable[[], T], *, store: str = "") -> T | None:
        """Return what ``read`` returns; None, and a notice, where it fails in an expected way.

        Args:
            source: Place that is read, in words.
            read: Function that reads it. A defect in it is raised.
            store: Name of the store that it reads; empty for a place on this machine. What lies in a store
                that did not answer before is not read, and has no notice of its own.
        """
        if store in self.silent:
            self.failed.add(source)
            return None
        begun = time.monotonic()
        try:
            return read()
        except StormsightError as error:
            late = time.monotonic() - begun > PATIENCE_S
            if store and late and isinstance(error, SourceUnavailableError):
                self.silent.add(store)
            self.tell(source, error)
        except OSError as error:
            self._add(
                Notice(
                    source, redact(error.strerror or type(error).__name__), "check the path and its rights"
                )
            )
        return None

    def tell(self, source: str, error: StormsightError) -> None:
        """Add a notice that a part of a source could not be read."""
        self._add(Notice(source, redact(error.message), redact(error.next_step)))

    def _add(self, notice: Notice) -> None:
        self.failed.add(notice.source)
        if notice not in self.found:
            self.found.append(notice)
