"""Records of rejected acquisitions: each is checked once, until anything in its folder changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import seal
from components.contract.keys import REJECTED
from components.contract.landing import rejection_of
from components.lib.objects.protocol import Objects, ObjectStore
from components.lib.objects.sealed import read_sealed


class RefusedError(BadDataError):
    """Refusal of one acquisition: it is rejected, and all others go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One rejected acquisition.

    Attributes:
        id: Folder in the landing place.
        object_key: Key of the record, which stands for the listing that was checked.
        message: Reason of the rejection.
        next_step: Action for the producer.
    """

    id: str
    object_key: str
    message: str
    next_step: str

    @classmethod
    def of(cls, folder: str, listing: Objects, error: BadDataError) -> Rejection:
        """Return the rejection of a folder, as it is listed, for an error."""
        return cls(
            id=folder,
            object_key=rejection_of(folder, listing),
            message=error.message,
            next_step=error.next_step,
        )

    def write(self, objects: ObjectStore) -> None:
        """Write the record; an earlier one for the same listing is replaced."""
        objects.put(self.object_key, seal(asdict(self)))


def rejected_before(objects: ObjectStore, folder: str, listing: Objects) -> bool:
    """Return whether a folder with exactly this listing was rejected, and is recorded soundly."""
    return _read(objects, rejection_of(folder, listing)) is not None


def rejections(objects: ObjectStore) -> Iterator[Rejection]:
    """Yield all sound records, oldest first: a folder may have several."""
    for info in sorted(objects.list(REJECTED), key=lambda info: info.modified):
        if (known := _read(objects, info.key)) is not None:
            yield known


def _read(objects: ObjectStore, key: str) -> Rejection | None:
    """Return a record; None if there is none, or a damaged one: it is written anew at the next look."""
    try:
        return read_sealed(objects, key, Rejection)
    except (BadDataError, MissingInputError):
        return None
