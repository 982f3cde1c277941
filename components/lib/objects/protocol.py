"""Interface of object stores, and checks that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from components.contract.errors import MissingInputError, ParameterError
from components.contract.keys import is_key

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Object of a listing.

    Attributes:
        key: Relative to the store, ``/`` between its parts.
        size: Bytes.
        modified: UTC.
        version: Mark that changes whenever the object is written: etag and time, or time of the file.
    """

    key: str
    size: int
    modified: datetime
    version: str


Objects: TypeAlias = list[ObjectInfo]
"""A listing. The protocol's method ``list`` hides the type of that name."""


class ObjectStore(Protocol):
    """Store of blobs by key. Each method may raise :class:`SourceUnavailableError`; keys are checked first.

    Attributes:
        uri: URI of the store, for messages and for catalogue entries; ends without a slash.
        endpoint: Address of the service that holds it, without credentials; empty for a disk.
        readers: Number of concurrent reads that pay off.
    """

    @property
    def uri(self) -> str:
        """See the class."""
        ...

    @property
    def endpoint(self) -> str:
        """See the class."""
        ...

    @property
    def readers(self) -> int:
        """See the class."""
        ...

    def get(self, key: str) -> bytes:
        """Return the whole object.

        Raises:
            MissingInputError: If there is none.
        """
        ...

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the object piece by piece; a transfer that breaks off is resumed.

        Raises:
            MissingInputError: If there is none.
            SourceUnavailableError: If it changed meanwhile, or the store does not answer.
        """
        ...

    def exists(self, key: str) -> bool:
        """Return whether there is an object of exactly this key."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Write the object unless there is one already. Of concurrent creators exactly one succeeds.

        Returns:
            Whether this call made the object. A repeated attempt whose first answer got lost counts as made.

        Raises:
            UnconditionalStoreError: If the service says that it cannot do so.
        """
        ...

    def put(self, key: str, content: bytes) -> None:
        """Write or replace the object, whole or not at all."""
        ...

    def list(self, prefix: str = "") -> Objects:
        """Return all objects whose keys start with ``prefix`` (any string), sorted by key."""
        ...

    def folders(self, prefix: str = "") -> Sequence[str]:
        """Return the sorted names directly below ``prefix`` (empty, or ending in ``/``) that hold objects."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object if there is one."""
        ...

    def upload(self, key: str, path: Path) -> None:
        """Write or replace the object from a file, streaming."""
        ...

    def copy(self, source: ObjectStore, listed: ObjectInfo, key: str, *, sha256: str) -> None:
        """Write or replace the object from one of another store; the service copies where it has both.

        Args:
            source: The other store.
            listed: Its object, as it was listed.
            key: Key here.
            sha256: Hex SHA-256 of the content, checked where the bytes pass through this machine; a copy
                within a service is bound to the listed etag instead.

        Raises:
            MissingInputError: If the object is gone.
            BadDataError: If its bytes have another SHA-256.
            SourceUnavailableError: If it is another version than the listed one.
        """
        ...

    def download(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        """Write the object into a file, streaming; the file appears whole or not at all.

        Raises:
            MissingInputError: If there is no such object.
            BadDataError: If its bytes have another SHA-256 than the stated one.
        """
        ...


def get_many(store: ObjectStore, keys: Sequence[str]) -> list[bytes]:
    """Return the objects of ``keys``, in their order, read side by side where that pays off.

    Raises:
        MissingInputError: If one is missing.
    """
    return map_many(store, store.get, keys)


def map_many(store: ObjectStore, request: Callable[[T], U], items: Sequence[T]) -> list[U]:
    """Return the answers to a request of ``store`` for each item, made side by side where that pays off."""
    if store.readers < 2 or len(items) < 2:
        return [request(item) for item in items]
    with ThreadPoolExecutor(min(store.readers, len(items))) as pool:
        return list(pool.map(request, items))


def check_key(key: str) -> str:
    """Return ``key`` if it cannot leave the store, on a disk either.

    Raises:
        ParameterError: If it is empty, absolute, too long, or has ``.``, ``..``, empty parts, backslashes,
            control characters or what is no Unicode text.
    """
    if not is_key(key):
        raise ParameterError(
            f"{key[:200]!r} is no object key", next_step="use relative names of ordinary characters"
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return ``prefix`` if it is the beginning of keys; see :func:`check_key`."""
    if prefix:
        check_key(f"{prefix}x")
    return prefix


def missing(store: ObjectStore, key: str) -> MissingInputError:
    """Return the error for an absent object."""
    return MissingInputError(
        f"{store.uri}/{key} is missing",
        next_step="the step that makes it has not run, or the object was removed: see "
        "`python -m components.acquisitions list` and the run's record",
    )
