"""The interface of a source, and the three forms in which it can deliver an acquisition."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class TransientError(Exception):
    """One request failed in a way that another try may mend (500, 503, time-out, broken body)."""


class ObjectChangedError(Exception):
    """An object is no longer the one that was listed: what was fetched of it is worthless."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteObject:
    """One object of a source.

    Attributes:
        path: Path relative to the root of the release, or the archive's key.
        uri: Its address, for the manifest and for messages.
        key: Handle that the source's reader understands.
        size: Bytes.
        version: Etag, or size and time of a local file: another version is another object.
        md5: Hex digest if the catalogue or the listing gives one.
        sha256: Hex digest if the catalogue gives one.
        md5_from_etag: The md5 was taken from an etag, which is not an md5 for KMS-encrypted objects.
    """

    path: str
    uri: str
    key: str
    size: int
    version: str
    md5: str | None = None
    sha256: str | None = None
    md5_from_etag: bool = False


class RangeReader(Protocol):
    """Reads byte ranges of objects; threads share one."""

    def read(self, item: RemoteObject, start: int, stop: int) -> Iterator[bytes]:
        """Read bytes ``[start, stop)`` in pieces; may end early, which the caller treats as a broken body.

        Raises:
            TransientError: If another try may help.
            ObjectChangedError: If the object is no longer the listed version.
            SourceUnavailableError: If no further try will help.
        """
        ...

    def etag_is_md5(self, item: RemoteObject) -> bool:
        """Return True if the etag of ``item`` is sure to be the md5 of its content."""
        ...


@dataclass(frozen=True, slots=True)
class LooseFiles:
    """Every file is an object of its own, of known size: ranges go straight to their place in the shards."""

    objects: tuple[RemoteObject, ...]
    reader: RangeReader


@dataclass(frozen=True, slots=True)
class Packed:
    """All files are in one tarball: fetched by ranges, then streamed once into shards.

    Attributes:
        archive: The tarball.
        reader: Reads its ranges.
        local: The tarball's own path where it lies on this machine; it is then read in place.
        reason: Reason for not taking the files one by one; empty if the entry names nothing else.
    """

    archive: RemoteObject
    reader: RangeReader
    local: Path | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a stream: its release-relative path, its size in bytes, its content in pieces."""

    path: str
    size: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Generated:
    """Files that are made here, one after the other.

    Attributes:
        uri: Their origin, for the manifest.
        identity: Everything the bytes depend on; the same identity means the same bytes.
        members: Makes the files.
        count: Number of files to come, for the progress bar.
        size_bound: Bytes they will take at most, for the check of the disk.
    """

    uri: str
    identity: str
    members: Callable[[], Iterator[Member]]
    count: int
    size_bound: int


Delivery = LooseFiles | Packed | Generated


class Source(Protocol):
    """Source of one acquisition."""

    def deliver(self) -> Delivery:
        """Look at the source and return the form in which the acquisition comes.

        Raises:
            SourceUnavailableError: If the source does not answer, or has neither files nor archive.
            BadDataError: If it contradicts the catalogue entry.
        """
        ...
