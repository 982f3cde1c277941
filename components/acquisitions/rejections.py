"""Records of rejected acquisitions: each is checked once, until its marker or a file changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from components.contract.errors import BadDataError, StormsightError
from components.contract.hashing import sha256_bytes, sha256_json
from components.contract.keys import REJECTED, rejection_key
from components.lib.objects.protocol import Objects, ObjectStore
from components.lib.objects.sealed import read_sealed, seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One rejected acquisition.

    Attributes:
        id: Folder in the landing place.
        marker_sha256: Hex SHA-256 of the marker that was checked.
        listing_sha256: Hex SHA-256 of the listing (names, sizes, times) that was checked.
        message: Reason of the rejection.
        next_step: Action for the producer.
    """

    id: str
    marker_sha256: str
    listing_sha256: str
    message: str
    next_step: str

    @classmethod
    def of(cls, acquisition: str, marker: bytes, listing: Objects, error: StormsightError) -> Rejection:
        """Return the rejection of a marker and listing for an error."""
        return cls(
            id=acquisition,
            marker_sha256=sha256_bytes(marker),
            listing_sha256=listing_hash(listing),
            message=error.message,
            next_step=error.next_step,
        )

    @property
    def object_key(self) -> str:
        """Key of the record in the object store."""
        return rejection_key(self.id, self.marker_sha256)

    def write(self, objects: ObjectStore) -> None:
        """Write the record; an earlier one for the same marker is replaced."""
        objects.put(self.object_key, seal(asdict(self)))


def listing_hash(listing: Objects) -> str:
    """Return the hex SHA-256 of a listing; a file that is uploaded again changes it."""
    return sha256_json([[i.key, i.size, i.modified.isoformat()] for i in listing])


def rejected_before(objects: ObjectStore, acquisition: str, marker: bytes, listing: Objects) -> bool:
    """Return True if exactly this marker with exactly this listing was rejected."""
    key = rejection_key(acquisition, sha256_bytes(marker))
    if not objects.exists(key):
        return False
    known = _read(objects, key)
    return known is not None and known.listing_sha256 == listing_hash(listing)


def rejections(objects: ObjectStore) -> Iterator[Rejection]:
    """Yield all records, by acquisition."""
    for info in objects.list(REJECTED):
        if (known := _read(objects, info.key)) is not None:
            yield known


def _read(objects: ObjectStore, key: str) -> Rejection | None:
    """Return a record, or None if it is damaged: it is written anew at the next look."""
    try:
        return read_sealed(objects, key, Rejection)
    except BadDataError:
        return None
