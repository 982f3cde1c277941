"""Reader of a tarball: once, front to back, trusting nothing in it.

gzip has no random access, so the stream is decompressed while it is read and hashed, and every member goes
straight to its shard. Nothing is ever unpacked under a name that the archive chose.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Protocol

from components.contract.errors import BadDataError
from components.download.catalogue import Limits
from components.download.sources.base import Member
from components.lib.foreign import judged

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 20
LARGEST_READ = 4 * CHUNK
"""Bytes. tarfile reads extension headers whole: one that claims more than this is hostile."""

_OTHER_KINDS = {
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf": "7-zip",
}
"""First bytes of archives that are often taken for a tarball."""

_SUSPECT = "do not use this archive; fetch it again from its publisher and compare its checksum"


class HashingReader(io.RawIOBase):
    """A binary file that hashes what is read of it.

    Args:
        handle: Read from its present position.
        on_read: Called with the number of bytes of each read, for a progress bar.
    """

    def __init__(self, handle: BinaryIO, on_read: Callable[[int], object] = lambda _: None) -> None:
        self._handle = handle
        self._on_read = on_read
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha256 = hashlib.sha256()

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read and hash."""
        view = memoryview(buffer).cast("B")
        data = self._handle.read(len(view))
        view[: len(data)] = data
        self.md5.update(data)
        self.sha256.update(data)
        self._on_read(len(data))
        return len(data)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _ForwardStream:
    """Forward-only file with what tarfile asks of one, limited to ``limit`` bytes."""

    def __init__(self, stream: _Readable, name: str, limit: float) -> None:
        self._stream = stream
        self._archive = name
        self._limit = limit
        self._position = 0
        self.last = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if position < self._position:
            raise BadDataError(f"{self._archive}: a header points backwards", next_step=_SUSPECT)
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def read(self, size: int) -> bytes:
        if size > LARGEST_READ:
            raise BadDataError(f"{self._archive}: an extension header of {size} bytes", next_step=_SUSPECT)
        data = b""
        while len(data) < size and (more := self._stream.read(size - len(data))):
            data += more
        self._position += len(data)
        self.last = data
        if self._position > self._limit:
            raise BadDataError(
                f"{self._archive}: unpacks to more than {self._limit / 2**30:.2f} GiB",
                next_step="if it is genuine, raise limits.unpacked_gib in its catalogue entry",
            )
        return data


def stream_members(
    archive: BinaryIO, name: str, limits: Limits, *, reader: HashingReader
) -> Iterator[Member]:
    """Read the regular files of a tar or tar.gz, in the archive's order.

    Args:
        archive: The open archive, seekable, at its start; only its first bytes are read from it directly.
        name: Name for messages.
        limits: Bounds on files and unpacked size.
        reader: Reads ``archive`` and holds the digests of its (compressed) bytes afterwards.

    Yields:
        Members; the chunks of one must be read before the next is asked for.

    Raises:
        BadDataError: If a member is absolute, climbs with ``..``, is a link, a device or a sparse file, if
            the limits are exceeded, or if the archive is truncated or damaged.
    """
    with _damage_as_bad_data(name):
        start = archive.read(6)
        archive.seek(0)
        zipped = start.startswith(b"\x1f\x8b")
        other = next((kind for magic, kind in _OTHER_KINDS.items() if start.startswith(magic)), None)
        if other is not None:
            raise BadDataError(f"{name}: is {other}, not tar or tar.gz", next_step="pack it anew as tar.gz")
        buffered = io.BufferedReader(reader, CHUNK)
        unzipped = gzip.GzipFile(fileobj=buffered, mode="rb") if zipped else buffered
        stream = _ForwardStream(unzipped, name, limits.unpacked_gib * 2**30)
        yield from _members(stream, name, limits)
        # The gzip trailer, and the padding behind the last member, belong to the checksums too.
        while stream.read(CHUNK):
            pass


def _members(stream: _ForwardStream, name: str, limits: Limits) -> Iterator[Member]:
    # tarfile asks a file for tell, seek and read only; _ForwardStream has no more on purpose.
    with tarfile.open(fileobj=stream, mode="r:", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
        count = 0
        while (info := tar.next()) is not None:
            tar.members = []  # tarfile keeps every header otherwise
            count += 1
            if count > limits.files:
                raise BadDataError(
                    f"{name}: more than {limits.files} members",
                    next_step="if it is genuine, raise limits.files in its catalogue entry",
                )
            path = _safe_path(info, name)
            if not info.isdir():
                stream.seek(info.offset_data)
                yield Member(path, info.size, _content(stream, info, name))
        if len(stream.last) != tarfile.BLOCKSIZE or any(stream.last):
            # tarfile takes a header cut short or spoilt in mid-archive for its end.
            raise tarfile.ReadError("no end-of-archive mark")


def _content(stream: _ForwardStream, info: tarfile.TarInfo, name: str) -> Iterator[bytes]:
    left = info.size
    while left:
        # The reader of a member's content runs outside the generator of members, and of its seam.
        with _damage_as_bad_data(name):
            chunk = stream.read(min(CHUNK, left))
        if not chunk:
            raise BadDataError(f"{name}: ends inside {info.name}", next_step="fetch the archive again")
        left -= len(chunk)
        yield chunk


def _safe_path(info: tarfile.TarInfo, name: str) -> str:
    """Return the member's path without a leading ``./``, if member and path are harmless."""
    path = PurePosixPath(info.name)
    if path.is_absolute() or ".." in path.parts or "\\" in info.name or "\0" in info.name:
        what = "leaves the folder it is unpacked in"
    elif info.issym() or info.islnk():
        what = f"is a link to {info.linkname!r}"
    elif info.issparse():
        what = "is a sparse file"
    elif not (info.isreg() or info.isdir()):
        what = "is a device or another special file"
    else:
        return path.as_posix()
    raise BadDataError(f"{name}: member {info.name!r} {what}", next_step=_SUSPECT)


@contextmanager
def _damage_as_bad_data(name: str) -> Iterator[None]:
    """Turn whatever tarfile, gzip and zlib raise on an archive into the archive's refusal."""
    with judged(
        f"{name}: the archive is truncated or damaged and",
        next_step="fetch it again; if its checksum is right, tell its publisher",
    ):
        yield
