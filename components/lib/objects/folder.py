"""Objects as files below one folder, for a laptop, for tests and for shared disks with hard links."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from components.contract.errors import BadDataError, ParameterError, ResourceError, SourceUnavailableError
from components.contract.temporary import make_locked, remove_unlocked
from components.lib.files import atomic_file
from components.lib.objects.protocol import (
    ObjectInfo,
    Objects,
    ObjectStore,
    check_key,
    check_prefix,
    missing,
)

TEMPORARY = ".unfinished"
"""Folder of what is being written, on the same file system; never listed."""

CHUNK = 1 << 20


class FolderObjects:
    """Files below ``root``. Links are never followed out of it, and never listed.

    An object appears by a hard link (``create``) or a rename (``put``) of a synced file, so that a reader
    sees all of it or nothing, also after a power cut. What a killed process left unfinished is removed with
    the first write, or by :meth:`sweep`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._swept = False

    @property
    def uri(self) -> str:
        """URI of the folder: ``file://...``."""
        return f"file://{self.root}"

    @property
    def endpoint(self) -> str:
        """Empty: no service is asked."""
        return ""

    @property
    def readers(self) -> int:
        """One: a disk is read in turn."""
        return 1

    def get(self, key: str) -> bytes:
        """See :class:`ObjectStore`."""
        with self._translated_errors(key):
            return self._file(key).read_bytes()

    def chunks(self, key: str) -> Iterator[bytes]:
        """See :class:`ObjectStore`."""
        with self._translated_errors(key), self._file(key).open("rb") as handle:
            while chunk := handle.read(CHUNK):
                yield chunk

    def exists(self, key: str) -> bool:
        """See :class:`ObjectStore`."""
        path = self._path(key)
        return path.is_file() and not path.is_symlink()

    def create(self, key: str, content: bytes) -> bool:
        """See :class:`ObjectStore`."""
        target = self._path(key)
        with self._translated_errors(key), self._written(content) as temporary:
            _make_folder(target.parent)
            try:
                os.link(temporary, target, follow_symlinks=False)
            except FileExistsError:
                # NFS repeats a call whose answer was lost, and then finds its own link.
                return temporary.stat().st_nlink == 2
            _sync_folder(target.parent)
            return True

    def put(self, key: str, content: bytes) -> None:
        """See :class:`ObjectStore`."""
        target = self._path(key)
        with self._translated_errors(key), self._written(content) as temporary:
            _publish(temporary, target)

    def list(self, prefix: str = "") -> Objects:
        """See :class:`ObjectStore`."""
        start = self.root / check_prefix(prefix).rpartition("/")[0]
        if not self._inside(start):
            return []
        found = []
        for folder, folders, files in os.walk(start):
            here = Path(folder)
            folders[:] = [name for name in folders if here != self.root or name != TEMPORARY]
            keys = {(here / name).relative_to(self.root).as_posix(): here / name for name in files}
            for key, path in keys.items():
                if key.startswith(prefix) and (info := _info(key, path)) is not None:
                    found.append(info)
        return sorted(found, key=lambda info: info.key)

    def folders(self, prefix: str = "") -> Sequence[str]:
        """See :class:`ObjectStore`."""
        start = self.root / check_prefix(prefix)
        if not start.is_dir() or not self._inside(start):
            return []
        names = [entry.name for entry in os.scandir(start) if entry.is_dir(follow_symlinks=False)]
        return sorted(name for name in names if start != self.root or name != TEMPORARY)

    def delete(self, key: str) -> None:
        """See :class:`ObjectStore`. Folders stay: another process may be about to write into them."""
        path = self._path(key)
        with self._translated_errors(key):
            path.unlink(missing_ok=True)

    def upload(self, key: str, path: Path) -> None:
        """See :class:`ObjectStore`."""
        target = self._path(key)
        with self._translated_errors(key), self._temporary() as temporary:
            shutil.copyfile(path, temporary)
            _sync_file(temporary)
            _publish(temporary, target)

    def copy(self, source: ObjectStore, listed: ObjectInfo, key: str, *, sha256: str) -> None:
        """See :class:`ObjectStore`."""
        target, digest = self._path(key), hashlib.sha256()
        with self._translated_errors(key), self._temporary() as temporary:
            with temporary.open("wb") as handle:
                for chunk in source.chunks(listed.key):
                    digest.update(chunk)
                    handle.write(chunk)
            require_digest(f"{source.uri}/{listed.key}", digest.hexdigest(), sha256)
            _sync_file(temporary)
            _publish(temporary, target)

    def download(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        """See :class:`ObjectStore`."""
        digest = hashlib.sha256()
        with atomic_file(path) as temporary, temporary.open("wb") as handle:
            for chunk in self.chunks(key):
                digest.update(chunk)
                handle.write(chunk)
            handle.flush()
            require_digest(f"{self.uri}/{key}", digest.hexdigest(), sha256)

    def sweep(self) -> None:
        """Remove what killed processes left unfinished; what a living one writes is locked."""
        self._swept = True
        folder = self.root / TEMPORARY
        if folder.is_dir():
            for left in folder.iterdir():
                remove_unlocked(left)

    def _path(self, key: str) -> Path:
        path = self.root / check_key(key)
        if key.split("/", maxsplit=1)[0] == TEMPORARY or not self._inside(path.parent):
            raise ParameterError(
                f"{key!r} leaves the folder {self.root}", next_step="remove the link, or use another key"
            )
        return path

    def _inside(self, path: Path) -> bool:
        """Return whether no link on the way leads out of the root."""
        return path.resolve().is_relative_to(self.root.resolve())

    def _file(self, key: str) -> Path:
        path = self._path(key)
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError  # writing the key would fail; its absence must not be believed before
        if not self.exists(key):
            raise missing(self, key)
        return path

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        folder = self.root / TEMPORARY
        try:
            _make_folder(folder)
        except FileNotFoundError as error:  # /proc and the like; nothing is missing that a step could make
            raise ResourceError(
                f"no folder can be made in {self.root}: {error.strerror}",
                next_step="point the store to a file system that can be written",
            ) from error
        if not self._swept:
            self.sweep()
        path, held = make_locked(lambda: _new_file(folder))
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
            os.close(held)

    @contextmanager
    def _written(self, content: bytes) -> Iterator[Path]:
        with self._temporary() as path:
            path.write_bytes(content)
            _sync_file(path)
            yield path

    @contextmanager
    def _translated_errors(self, key: str) -> Iterator[None]:
        """Translate the file system's errors into ours."""
        where = f"{self.root / key}"
        try:
            yield
        except FileNotFoundError as error:
            raise missing(self, key) from error
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise ParameterError(
                f"{where}: a folder stands where a file should be, or the other way round",
                next_step="no object's key may be the folder of another's",
            ) from error
        except OSError as error:
            if error.errno in {
                errno.ENOSPC,
                errno.EDQUOT,
                errno.EROFS,
                errno.EACCES,
                errno.EPERM,
                errno.ENOTSUP,
            }:
                raise ResourceError(
                    f"{where} cannot be written or read: {error.strerror}",
                    next_step="check free space and permissions; the file system must know hard links",
                ) from error
            raise SourceUnavailableError(
                f"{where}: {error.strerror}", next_step="check the disk, then run the command again"
            ) from error


def require_digest(name: str, found: str, stated: str | None) -> None:
    """Compare an object's SHA-256 with the stated one, if there is one.

    Raises:
        BadDataError: If they differ.
    """
    if stated is not None and found != stated:
        raise BadDataError(
            f"{name} has the SHA-256 {found}, {stated} was expected",
            next_step="find out who wrote to the object store; the object must be made anew",
        )


def _info(key: str, path: Path) -> ObjectInfo | None:
    """Return None for links, special files, and what went away since the folder was read."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if path.is_symlink() or not path.is_file():
        return None
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return ObjectInfo(key, status.st_size, modified, version=str(status.st_mtime_ns))


def _new_file(folder: Path) -> Path:
    path = folder / uuid.uuid4().hex
    path.touch(exist_ok=False)
    return path


def _publish(temporary: Path, target: Path) -> None:
    _make_folder(target.parent)
    temporary.replace(target)
    _sync_folder(target.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each new name synced: a synced file in a lost folder is lost too."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_file(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
