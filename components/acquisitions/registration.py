"""Registration of acquisitions that are new, complete and sound."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from components.acquisitions.catalogue import entry_content, require_free_id, taken, write_entry
from components.acquisitions.delivery import copy_delivery
from components.acquisitions.marker import Marker, parse_marker
from components.acquisitions.parameters import MOST_MARKER_BYTES
from components.acquisitions.rejections import RefusedError, Rejection, rejected_before
from components.acquisitions.strips import StripIndex
from components.acquisitions.verification import verify
from components.contract.errors import (
    BadDataError,
    MissingInputError,
    ResourceError,
    SourceUnavailableError,
    StormsightError,
)
from components.contract.hashing import sha256_bytes
from components.contract.keys import ACCEPTED, marker_key
from components.contract.landing import acceptance_of, is_marked, is_readable, rejection_of
from components.lib.foreign import judged, one_line
from components.lib.ledger.chain import utc_now
from components.lib.objects.protocol import Objects, ObjectStore
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from components.lib.operations.state import State

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Found:
    """Result of one look at the landing place.

    Attributes:
        registered: Ids that are registered now and were not before.
        rejected: Rejections made in this look.
        unavailable: Error by acquisition that could not be read.
        waiting: Ids without a marker: their producers are still at work.
    """

    registered: list[str] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    unavailable: dict[str, StormsightError] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Registrar:
    """Registers acquisitions; a bad one never keeps a good one from it.

    Attributes:
        landing: Store where acquisitions arrive: ``<id>/COMPLETE.json`` and the files it names.
        objects: Store of ledger, catalogue, deliveries and rejections.
        again: True also checks what was rejected and has not changed.
    """

    landing: ObjectStore
    objects: ObjectStore
    again: bool = False

    def look(self) -> Found:
        """Register all that is new, complete and sound; each folder is judged alone.

        Raises:
            BadDataError: If the operations ledger is broken, or the catalogue of what is registered.
            SourceUnavailableError: If a store does not answer at all.
        """
        operations, found = Operations(self.objects), Found()
        look = _Look(self, operations, operations.state(), StripIndex(self.objects), found)
        for name in self.landing.folders():
            try:
                look.judge(name)
            except (SourceUnavailableError, MissingInputError, ResourceError) as error:
                # Changed or removed while it was read, or it cannot be read: the next look tries again.
                found.unavailable[name] = _unavailable(name, error)
        look.finish()
        return found


class _Look:
    """One pass over the landing place: what it knows from its start, and what it finds."""

    def __init__(
        self, registrar: Registrar, operations: Operations, state: State, strips: StripIndex, found: Found
    ) -> None:
        self._landing, self._objects, self._again = registrar.landing, registrar.objects, registrar.again
        self._operations, self._state, self._strips = operations, state, strips
        self._found = found
        self._accepted: Set[str] = {info.key for info in registrar.objects.list(ACCEPTED)}

    def judge(self, name: str) -> None:
        """Register or reject one folder, if it is new or has changed."""
        if not is_readable(name):
            self._refuse_name(name)
        elif name in self._state.registered:
            self._reconsider(name, self._state.registered[name])
        else:
            self._consider(name)

    def finish(self) -> None:
        """Write the rejections, at the very end: one whose command breaks off is made, and told, again."""
        for rejection in self._found.rejected:
            try:
                rejection.write(self._objects)
            except StormsightError as error:
                log.warning("a rejection is not recorded, and will be told again: %s", error.message)
        try:
            self._strips.save()
        except StormsightError as error:
            log.warning("the index of strips is not saved, and will be made up for: %s", error.message)

    def _consider(self, name: str) -> None:
        """Check one acquisition that is not registered, and register or reject it."""
        listing = self._landing.list(f"{name}/")
        if not is_marked(name, listing):
            self._found.waiting.append(name)
        elif not self._rejected_before(name, listing):
            try:
                self._register(name, listing)
            except RefusedError as error:
                self._reject(name, listing, error)

    def _register(self, name: str, listing: Objects) -> None:
        """Check, copy and register an acquisition; its entry is in place before the ledger names it.

        Raises:
            RefusedError: If it is to be rejected.
        """
        content = self._read_marker(name)
        marker, marker_sha256 = _parsed(content, name), sha256_bytes(content)
        self._strips.require_new_ground(marker, self._state)  # early: it may spare the reading of all files
        with _refusing(name):
            verify(self._landing, marker, listing)
        source = copy_delivery(self._landing, self._objects, marker, marker_sha256, listing)
        self._require_unchanged(name, listing)
        entry = entry_content(marker, source)
        acquisition = Acquisition(name, sha256_bytes(entry))
        write_entry(self._objects, acquisition, entry)
        event = Registered(acquisition=name, catalogue_sha256=acquisition.sha256, marker_sha256=marker_sha256)
        if self._operations.register(event, partial(self._strips.require_new_ground, marker)):
            log.info("%s is registered", name)
            self._found.registered.append(name)
            self._state = self._state.apply(event, utc_now())
            self._objects.put(acceptance_of(name, listing), b"")

    def _require_unchanged(self, name: str, listing: Objects) -> None:
        """Leave a folder that was written to meanwhile for the next look, correction included."""
        if rejection_of(name, self._landing.list(f"{name}/")) != rejection_of(name, listing):
            raise SourceUnavailableError(
                "its folder changed while it was checked", next_step="none: it is looked at again"
            )

    def _reconsider(self, name: str, registered: Registered) -> None:
        """Reject a changed marker of a registered acquisition; the registered content stays as it is."""
        key = marker_key(name)
        listing = [info for info in self._landing.list(key) if info.key == key]
        accepted = acceptance_of(name, listing)
        if not listing or accepted in self._accepted or self._rejected_before(name, listing):
            return
        if sha256_bytes(self._read_marker(name)) == registered.marker_sha256:
            self._objects.put(accepted, b"")
        else:
            self._reject(name, listing, taken(name, "is registered with another content"))

    def _refuse_name(self, name: str) -> None:
        """Reject a folder whose name can be part of no key; nothing in it can be read by key."""
        if self._rejected_before(name, []):
            return
        error = RefusedError(
            f"acquisition {one_line(name)[:100]!r}: the name of its folder has control characters, a "
            "backslash, an empty part, '.' or '..', or is too long",
            next_step="land it under an id of at most 63 of a-z, 0-9 and -, and remove the folder",
        )
        self._reject(name, [], error)

    def _rejected_before(self, name: str, listing: Objects) -> bool:
        return not self._again and rejected_before(self._objects, name, listing)

    def _reject(self, name: str, listing: Objects, error: RefusedError) -> None:
        log.warning("rejected: %s\n  next step: %s", error.message, error.next_step)
        self._found.rejected.append(Rejection.of(name, listing, error))

    def _read_marker(self, name: str) -> bytes:
        """Return the marker's content, cut after one byte more than allowed."""
        content = b""
        for chunk in self._landing.chunks(marker_key(name)):
            content += chunk
            if len(content) > MOST_MARKER_BYTES:
                break
        return content[: MOST_MARKER_BYTES + 1]


def _parsed(content: bytes, name: str) -> Marker:
    """Return a marker whose id is free."""
    with _refusing(name):
        if len(content) > MOST_MARKER_BYTES:
            raise BadDataError(
                f"acquisition {name}: its marker has more than {MOST_MARKER_BYTES >> 20} MiB",
                next_step="split the acquisition",
            )
        marker = parse_marker(content, name)
        require_free_id(name)
        return marker


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    """Turn what is wrong with a delivery into its refusal; faults of our own records are none."""
    try:
        with judged(f"acquisition {name}", next_step="correct it, then land it again"):
            yield
    except BadDataError as error:
        raise RefusedError(error.message, next_step=error.next_step) from error


def _unavailable(name: str, error: StormsightError) -> StormsightError:
    log.warning("%s could not be read: %s", name, error.message)
    kind = ResourceError if isinstance(error, ResourceError) else SourceUnavailableError
    return kind(f"acquisition {one_line(name)[:100]}: {error.message}", next_step=error.next_step)
