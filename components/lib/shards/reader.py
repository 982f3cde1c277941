"""Reader of single files in shards by offset, with their checksum."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_bytes
from components.lib.shards.manifest import FileRow

if TYPE_CHECKING:
    import pandas as pd

_REFETCH = "run `dvc repro --force download` to make data/raw anew"


class ShardReader:
    """Reads files of ``raw`` by manifest row. Threads may share one reader.

    Example:
        >>> with ShardReader(Path("data/raw")) as reader:
        ...     content = reader.read(read_manifest(Path("data/raw")).iloc[0])
    """

    def __init__(self, raw: Path) -> None:
        self._raw = raw
        self._handles: dict[str, int] = {}
        self._lock = threading.Lock()

    def read(self, row: pd.Series | Mapping[str, Any] | Any) -> bytes:  # noqa: ANN401 - also namedtuples
        """Read the content of one file.

        Args:
            row: A manifest row: a Series, a mapping, a tuple of ``DataFrame.itertuples`` or a ``FileRow``.

        Raises:
            MissingInputError: If the shard is absent.
            BadDataError: If the row points outside ``raw`` or its shard, or the checksum differs.
        """
        name, shard = str(_field(row, "name")), str(_field(row, "shard"))
        offset, size = int(_field(row, "offset")), int(_field(row, "size"))
        if offset < 0 or size < 0:
            raise BadDataError(f"{name}: offset {offset}, size {size} in the manifest", next_step=_REFETCH)
        handle = self._handle(shard)
        if offset + size > os.fstat(handle).st_size:
            raise BadDataError(f"{name}: {shard} ends before the file does", next_step=_REFETCH)
        try:
            content = _read_exactly(handle, offset, size)
        except OSError as error:
            raise BadDataError(f"{name}: {shard}: {error.strerror}", next_step=_REFETCH) from error
        if sha256_bytes(content) != _field(row, "sha256"):
            raise BadDataError(
                f"{name}: the checksum of its bytes in {shard} is not the manifest's", next_step=_REFETCH
            )
        return content

    def _handle(self, shard: str) -> int:
        with self._lock:
            if shard not in self._handles:
                relative = PurePosixPath(shard)
                if relative.is_absolute() or ".." in relative.parts:
                    raise BadDataError(f"manifest: shard {shard!r} lies outside", next_step=_REFETCH)
                try:
                    self._handles[shard] = os.open(self._raw / relative, os.O_RDONLY | os.O_CLOEXEC)
                except (OSError, ValueError) as error:  # ValueError: a NUL in the name
                    why = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}"
                    raise MissingInputError(
                        f"{self._raw / relative} {why}".replace("\0", "?"), next_step=_REFETCH
                    ) from error
            return self._handles[shard]

    def close(self) -> None:
        """Close the shards; a later read opens them again."""
        with self._lock:
            while self._handles:
                os.close(self._handles.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._handles:
            self.close()


def _field(row: Any, name: str) -> Any:  # noqa: ANN401
    # Not getattr on a Series: its `size` and `name` are its own.
    return getattr(row, name) if isinstance(row, tuple | FileRow) else row[name]


def _read_exactly(handle: int, offset: int, size: int) -> bytes:
    """Read ``size`` bytes at ``offset``; one ``pread`` returns at most 2 GiB."""
    first = os.pread(handle, size, offset)
    if len(first) == size:
        return first
    parts, have = [first], len(first)
    while have < size:
        part = os.pread(handle, size - have, offset + have)
        if not part:
            break  # the checksum will not match
        parts.append(part)
        have += len(part)
    return b"".join(parts)
