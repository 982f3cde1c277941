"""Writer of a stream of files into shards, one after the other."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from components.contract.errors import BadDataError
from components.lib.shards.packing import END_OF_ARCHIVE, MAX_SHARDS, Packer, Slot, member_header, shard_name

_TARGET = 256 * 2**20


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """Place of a written file: ``slot`` (shard, offset, size) and the hex ``sha256`` of its content."""

    slot: Slot
    sha256: str


class ShardWriter:
    """Writes ``shard-000.tar``, ``shard-001.tar``, ... into ``folder``; the same files give the same bytes.

    Example:
        >>> with ShardWriter(Path("data/raw/rehearsal-airborne")) as shards:
        ...     written = shards.add("sar/tile_1.tif", content)

    Args:
        folder: Made if absent. Publish it atomically: shards are complete only after :meth:`close`.
        target_bytes: Size at which a shard is closed.
        limit: Most shards ever written.
    """

    def __init__(self, folder: Path, *, target_bytes: int = _TARGET, limit: int = MAX_SHARDS) -> None:
        self._folder = folder
        self._packer = Packer(target_bytes, limit)
        self._open: BinaryIO | None = None
        self._shard = -1
        self.names: list[str] = []
        """File names of the shards begun so far."""
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, content: bytes) -> WrittenFile:
        """Append one file held in memory."""
        return self.add_chunks(name, len(content), (content,))

    def add_chunks(self, name: str, size: int, chunks: Iterable[bytes]) -> WrittenFile:
        """Append one file of ``size`` bytes that arrives in pieces; after a failure the shards are void.

        Raises:
            BadDataError: If the pieces do not add up to ``size``, or name or size fit no tar header.
        """
        header = member_header(name, size)
        slot = self._packer.place(name, size)
        shard = self._shard_file(slot.shard)
        shard.write(header)
        digest, written = hashlib.sha256(), 0
        for chunk in chunks:
            written += len(chunk)
            if written > size:
                break
            digest.update(chunk)
            shard.write(chunk)
        if written != size:
            raise BadDataError(
                f"{name}: {size} bytes were announced, {'more' if written > size else written} came",
                next_step="fetch the source again; if it stays so, the source is damaged",
            )
        shard.write(bytes(slot.end - slot.offset - size))
        return WrittenFile(slot, digest.hexdigest())

    def close(self) -> None:
        """Finish the last shard; nothing can be added afterwards."""
        if self._open is not None:
            self._open.write(END_OF_ARCHIVE)
            self._open.flush()
            os.fsync(self._open.fileno())
            self._open.close()
            self._open = None

    def _shard_file(self, index: int) -> BinaryIO:
        if self._open is None or index != self._shard:
            self.close()
            self._shard = index
            self.names.append(shard_name(index))
            self._open = (self._folder / shard_name(index)).open("wb")
        return self._open

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._open is not None:
            # Closing flushes; after a full disk that fails once more and must not hide the first failure.
            handle, self._open = self._open, None
            with contextlib.suppress(OSError):
                handle.close()
