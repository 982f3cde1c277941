"""Registration of acquisitions that are new, complete and sound."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from components.acquisitions.catalogue import (
    entry_content,
    require_free_id,
    require_new_ground,
    taken,
    write_entry,
)
from components.acquisitions.marker import Marker, parse_marker
from components.acquisitions.parameters import MOST_MARKER_BYTES
from components.acquisitions.rejections import Rejection, rejected_before
from components.acquisitions.verification import verify
from components.contract.errors import (
    BadDataError,
    MissingInputError,
    ParameterError,
    SourceUnavailableError,
    StormsightError,
)
from components.contract.hashing import sha256_bytes
from components.contract.keys import CATALOGUE, catalogue_key, marker_key
from components.lib.foreign import judged, one_line
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore, check_key
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition

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
    unavailable: dict[str, SourceUnavailableError] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Registrar:
    """Registers acquisitions; a bad one never keeps a good one from it.

    Attributes:
        landing: Store where acquisitions arrive: ``<id>/COMPLETE.json`` and the files it names.
        objects: Store of ledger, catalogue and rejections.
        again: True also checks what was rejected and has not changed.
    """

    landing: ObjectStore
    objects: ObjectStore
    again: bool = False

    def look(self) -> Found:
        """Register all that is new, complete and sound.

        Raises:
            BadDataError: If the operations ledger is broken.
            SourceUnavailableError: If a store does not answer at all.
        """
        operations, found = Operations(self.objects), Found()
        registered = operations.state().registered
        written = {info.key: info for info in self.objects.list(CATALOGUE)}
        for name in self.landing.folders():
            if not _is_key(name):
                self._refuse_name(name, found)
                continue
            marker = self._marker(name)
            if marker is None:
                found.waiting.append(name)
            elif name not in registered:
                self._consider(name, operations, found)
            elif _newer(marker, written.get(catalogue_key(name))):
                self._reconsider(name, registered[name], found)
        return found

    def _consider(self, name: str, operations: Operations, found: Found) -> None:
        """Check and register one acquisition that is not registered."""
        try:
            listing = self.landing.list(f"{name}/")
            content = self._read_marker(name)
            if not self.again and rejected_before(self.objects, name, content, listing):
                return
            try:
                with judged(f"acquisition {name}", next_step="correct it, then land it again"):
                    acquisition = self._check(name, content, listing, operations)
            except BadDataError as error:
                self._reject(Rejection.of(name, content, listing, error), found)
                return
        except (SourceUnavailableError, MissingInputError) as error:
            # Changed or removed while it was read, or the bucket fails: it is read again at the next look.
            found.unavailable[name] = _unavailable(name, error)
            return
        event = Registered(
            acquisition=name, catalogue_sha256=acquisition.sha256, marker_sha256=sha256_bytes(content)
        )
        if operations.register(event):
            log.info("%s is registered", name)
            found.registered.append(name)

    def _refuse_name(self, name: str, found: Found) -> None:
        """Reject a folder whose name can be part of no key; nothing in it can be read by key."""
        identity = name.encode("utf-8", "surrogatepass")
        if not self.again and rejected_before(self.objects, name, identity, []):
            return
        error = BadDataError(
            f"acquisition {one_line(name)[:100]!r}: the name of its folder has control characters, a "
            "backslash, an empty part, '.' or '..', or is too long",
            next_step="land it under an id of at most 63 of a-z, 0-9 and -, and remove the folder",
        )
        self._reject(Rejection.of(name, identity, [], error), found)

    def _check(self, name: str, content: bytes, listing: Objects, operations: Operations) -> Acquisition:
        """Run all checks, then write the catalogue entry: it is in place before the ledger names it."""
        if len(content) > MOST_MARKER_BYTES:
            raise BadDataError(
                f"acquisition {name}: its marker has more than {MOST_MARKER_BYTES >> 20} MiB",
                next_step="split the acquisition",
            )
        marker: Marker = parse_marker(content, name)
        require_free_id(name)
        require_new_ground(self.objects, marker, operations.state())
        verify(self.landing, marker, listing)
        entry = entry_content(marker, self.landing.uri)
        acquisition = Acquisition(name, sha256_bytes(entry))
        write_entry(self.objects, acquisition, entry)
        return acquisition

    def _reconsider(self, name: str, registered: Registered, found: Found) -> None:
        """Reject a changed marker of a registered acquisition; the registered content stays as it is."""
        content = self._read_marker(name)
        if sha256_bytes(content) == registered.marker_sha256:
            return
        if self.again or not rejected_before(self.objects, name, content, []):
            error = taken(name, "is registered with another content")
            self._reject(Rejection.of(name, content, [], error), found)

    def _reject(self, rejection: Rejection, found: Found) -> None:
        rejection.write(self.objects)
        log.warning("rejected: %s\n  next step: %s", rejection.message, rejection.next_step)
        found.rejected.append(rejection)

    def _marker(self, name: str) -> ObjectInfo | None:
        key = marker_key(name)
        return next((info for info in self.landing.list(key) if info.key == key), None)

    def _read_marker(self, name: str) -> bytes:
        """Return the marker's content, cut after one byte more than allowed."""
        content = b""
        for chunk in self.landing.chunks(marker_key(name)):
            content += chunk
            if len(content) > MOST_MARKER_BYTES:
                break
        return content[: MOST_MARKER_BYTES + 1]


def _is_key(name: str) -> bool:
    try:
        check_key(marker_key(name)).encode()
    except (ParameterError, UnicodeEncodeError):
        return False
    return True


def _newer(marker: ObjectInfo, entry: ObjectInfo | None) -> bool:
    """Return True if a marker may be later than its entry; S3 lists times to the second."""
    return entry is not None and marker.modified >= entry.modified


def _unavailable(name: str, error: StormsightError) -> SourceUnavailableError:
    log.warning("%s could not be read: %s", name, error.message)
    return SourceUnavailableError(f"acquisition {name}: {error.message}", next_step=error.next_step)
