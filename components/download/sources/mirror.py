"""``file://``: a folder in the release's layout, or the release's tarball, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from components.contract.errors import BadDataError, SourceUnavailableError
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.download.release import check_complete, completing, wanted
from components.download.sources.base import (
    Delivery,
    LooseFiles,
    ObjectChangedError,
    Packed,
    RemoteObject,
    TransientError,
)

CHUNK = 1 << 20


class MirrorSource:
    """A folder or a tarball.

    Args:
        entry: The catalogue entry, its source starting with ``file://``.
    """

    def __init__(self, entry: CatalogueEntry) -> None:
        self._entry = entry
        self._root = Path(entry.source.removeprefix("file://"))

    @classmethod
    def open(cls, entry: CatalogueEntry, parameters: DownloadParameters, params_file: Path) -> Self:
        """Open the source; parameters do not matter."""
        del parameters, params_file
        return cls(entry)

    def deliver(self) -> Delivery:
        """Return the folder's files, or its tarball if they are incomplete, or the source tarball itself."""
        try:
            return self._delivery()
        except OSError as error:
            raise SourceUnavailableError(
                f"{self._entry.id}: {error.filename or self._root}: {error.strerror}",
                next_step="check the mirror and its permissions, then run the command again",
            ) from error

    def _delivery(self) -> Delivery:
        if self._root.is_file():
            return self._packed(self._root, self._root.name, "")
        if not self._root.is_dir():
            raise SourceUnavailableError(
                f"{self._entry.id}: {self._root} does not exist",
                next_step="mount the mirror, or correct the entry's source",
            )
        objects = tuple(self._objects())
        found = [file for item in objects if (file := wanted(self._entry, item.path)) is not None]
        reason = check_complete(self._entry, found)
        if reason is None:
            return LooseFiles(objects, self)
        if self._entry.archive is not None and (self._root / self._entry.archive).is_file():
            return self._packed(self._root / self._entry.archive, self._entry.archive, reason)
        raise BadDataError(
            f"{self._entry.id}: {self._root} has {reason}",
            next_step=completing(
                self._entry, "complete the mirror, or correct products and prefix of the catalogue entry"
            ),
        )

    def read(self, item: RemoteObject, start: int, stop: int) -> Iterator[bytes]:
        """Read bytes ``[start, stop)`` of a file; see :class:`RangeReader`."""
        try:
            with Path(item.key).open("rb") as handle:
                if _version(os.fstat(handle.fileno())) != item.version:
                    raise ObjectChangedError(item.uri)
                handle.seek(start)
                while start < stop and (chunk := handle.read(min(CHUNK, stop - start))):
                    start += len(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise ObjectChangedError(item.uri) from error
        except OSError as error:
            raise TransientError(str(error)) from error

    def etag_is_md5(self, item: RemoteObject) -> bool:
        """Return False: files have no etags."""
        del item
        return False

    def _objects(self) -> Iterator[RemoteObject]:
        for folder, folders, names in os.walk(self._root):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                relative = path.relative_to(self._root).as_posix()
                if wanted(self._entry, relative) is not None and path.is_file():
                    yield self._describe(path, relative)

    def _describe(self, path: Path, relative: str) -> RemoteObject:
        expected, status = self._entry.expected(relative), path.stat()
        if expected.size is not None and expected.size != status.st_size:
            raise BadDataError(
                f"{self._entry.id}: {path} has {status.st_size} bytes, the catalogue says {expected.size}",
                next_step="fetch the file again into the mirror",
            )
        return RemoteObject(
            path=relative,
            uri=f"{self._entry.source.rstrip('/')}/{relative}",
            key=str(path),
            size=status.st_size,
            version=_version(status),
            md5=expected.md5,
            sha256=expected.sha256,
        )

    def _packed(self, path: Path, key: str, reason: str) -> Packed:
        # The source may be the tarball itself; the checksum in the catalogue stands under the archive's key.
        archive = self._describe(path, self._entry.archive or key)
        return Packed(archive, self, local=path, reason=reason)


def _version(status: os.stat_result) -> str:
    return f"{status.st_size}-{status.st_mtime_ns}"
