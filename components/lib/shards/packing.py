"""Place of each file in the shards, and the bytes of an uncompressed tar around the contents.

The position of a file follows from the names and sizes before it alone, so a downloader can write the ranges
of many objects straight into their final place, in any order, before the shard is complete.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass

from components.contract.errors import BadDataError

MAX_SHARDS = 64
"""Most shards of an acquisition; DVC then moves few large files."""

BLOCK = 512
"""Tar block, bytes: a header is one block, contents are padded to whole blocks."""

END_OF_ARCHIVE = bytes(2 * BLOCK)
"""Bytes that close a tar archive."""


def shard_name(index: int) -> str:
    """Return the file name of shard ``index``."""
    return f"shard-{index:03d}.tar"


def padded(size: int) -> int:
    """Return ``size`` bytes rounded up to whole tar blocks."""
    return -(-size // BLOCK) * BLOCK


def member_header(name: str, size: int) -> bytes:
    """Return the one-block ustar header of a regular file, free of times, owners and hosts.

    Raises:
        BadDataError: If the name or the size (8 GiB and above) does not fit such a header.
    """
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, 0
    try:
        header = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
    except ValueError as error:
        raise BadDataError(
            f"{name} ({size} bytes) does not fit a tar header: {error}",
            next_step="remove the file from the source or from the catalogue entry's products",
        ) from error
    assert len(header) == BLOCK
    return header


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of one file.

    Attributes:
        shard: Shard index.
        name: Member name inside the shard.
        size: Content size, bytes.
        start: Byte offset of the header inside the shard.
    """

    shard: int
    name: str
    size: int
    start: int

    @property
    def offset(self) -> int:
        """Byte offset of the content inside the shard."""
        return self.start + BLOCK

    @property
    def end(self) -> int:
        """Byte offset just past the padded content."""
        return self.offset + padded(self.size)


class Packer:
    """Assigns files, in order, to shards of about ``target_bytes`` each and never more than ``limit`` shards.

    The total need not be known: half of the shards keep the target, the next quarter doubles it, the next
    eighth quadruples it and so on; the last one takes whatever remains. A shard is closed by the first file
    that finds it at or above its target, so it overshoots by less than one file.
    """

    def __init__(self, target_bytes: int, limit: int = MAX_SHARDS) -> None:
        self._target = target_bytes
        self._limit = limit
        self._shard = 0
        self._end = 0

    def place(self, name: str, size: int) -> Slot:
        """Assign the slot of the next file."""
        last = self._shard == self._limit - 1
        if not last and self._end >= self._target * _growth(self._shard, self._limit):
            self._shard, self._end = self._shard + 1, 0
        slot = Slot(self._shard, name, size, self._end)
        self._end = slot.end
        return slot


def _growth(shard: int, limit: int) -> int:
    """Return 1 for the first half of the shards, 2 for the next quarter, 4 for the next eighth, ..."""
    return 1 << ((limit // (limit - shard)).bit_length() - 1)
