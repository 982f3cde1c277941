"""Checkpoints of a stage in the object store, so that another machine can go on where this one was lost.

``work/<key>/checkpoints/<stage>/`` holds files by their SHA-256, and ``manifest.json``, sealed and written
last: it names one consistent set. A set is replaced whole; a reader finds the old one or the new one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError, MissingInputError, ParameterError, StormsightError
from components.contract.hashing import seal, sha256_file
from components.contract.keys import MANIFEST
from components.lib.objects.protocol import ObjectStore, check_key
from components.lib.objects.sealed import read_sealed
from components.lib.operations.events import Sha256

LOG = logging.getLogger(__name__)

FOLDER = Path("var/checkpoints")
"""Folder in which stages keep their checkpoints, relative to the workspace."""

POLL_S = 1.0
SHARE = 0.1
"""Fraction of the time that uploads may take at most, so that they do not slow down the training."""

_FIRST = "last.pt"


@dataclass(frozen=True, slots=True)
class _Version:
    """Version of a file: files are replaced, never changed in place."""

    inode: int
    size: int
    modified: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    """Content of ``manifest.json``: SHA-256 by file name, and when it was made (UTC, ISO 8601)."""

    files: dict[str, Sha256]
    made: str


class CheckpointMirror:
    """Mirror of a stage's checkpoints in the object store.

    Args:
        objects: The store.
        prefix: ``work/<key>/checkpoints/<stage>``.
        folder: Folder in which the stage writes them.
        scratch: Folder on the same disk, for snapshots.
    """

    def __init__(self, objects: ObjectStore, prefix: str, folder: Path, scratch: Path) -> None:
        self._objects = objects
        self._prefix = prefix
        self._folder = folder
        self._scratch = scratch
        self._sent: dict[str, tuple[_Version, str]] = {}
        self._manifest: dict[str, str] = {}
        self._lock = threading.Lock()
        self._abandoned = False

    def restore(self) -> bool:
        """Bring the latest set into the folder. A damaged one is ignored: the stage begins anew.

        Returns:
            Whether there was one.
        """
        try:
            files = read_sealed(self._objects, self._key(MANIFEST), _Manifest).files
        except MissingInputError:
            return False
        except BadDataError as error:
            LOG.warning("checkpoint ignored: %s", error.message)
            return False
        try:
            for name, sha256 in files.items():
                path = self._folder / check_key(name)
                self._objects.download(self._key(sha256), path, sha256=sha256)
        except (MissingInputError, BadDataError, ParameterError) as error:
            LOG.warning("checkpoint ignored: %s", error.message)
            shutil.rmtree(self._folder, ignore_errors=True)
            return False
        self._manifest = dict(files)
        LOG.info("checkpoint restored: %s", ", ".join(sorted(files)))
        return True

    def sync(self) -> bool:
        """Send the present set if it is another than the last one sent.

        Returns:
            Whether something was sent.
        """
        with self._lock:
            if self._abandoned:
                return False
            names = self._names()
            if not any(Path(name).name == _FIRST for name in names):
                return False  # no checkpoint yet, or none any more: the last one sent stays
            present = {name: version for name in names if (version := _version(self._folder / name))}
            if present == {name: version for name, (version, _) in self._sent.items()}:
                return False
            return self._send(list(present))

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Send each new set while the block runs; a failure to send never costs the training."""
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def abandon(self) -> None:
        """Send nothing any more: they belong to another run. Waits for a set that is being sent."""
        with self._lock:
            self._abandoned = True

    def discard(self) -> None:
        """Remove all that was sent: the stage is finished."""
        for info in self._objects.list(f"{self._prefix}/"):
            self._objects.delete(info.key)

    def _watch(self, done: threading.Event) -> None:
        pause = POLL_S
        while not done.wait(pause):
            begun = time.monotonic()
            try:
                self.sync()
            except StormsightError as error:
                LOG.warning("checkpoint not sent: %s", error.message)
            pause = max(POLL_S, (time.monotonic() - begun) / SHARE)

    def _names(self) -> list[str]:
        """Return the files of the set, the checkpoint first; unfinished ones have hidden or ``tmp`` names.

        A snapshot of the checkpoint taken first finds all that it refers to: that was written before it.
        """
        found = [path.relative_to(self._folder) for path in self._folder.rglob("*") if path.is_file()]
        whole = [path for path in found if not any(part.startswith((".", "tmp")) for part in path.parts)]
        return sorted((path.as_posix() for path in whole), key=lambda name: (not name.endswith(_FIRST), name))

    def _send(self, names: list[str]) -> bool:
        with contextlib.ExitStack() as stack:
            # All snapshots before the first upload: the set must be of one moment.
            snapshots = {name: stack.enter_context(self._snapshot(name)) for name in names}
            versions = {name: version for name, path in snapshots.items() if (version := _version(path))}
            if not any(name.endswith(_FIRST) for name in versions):
                return False  # the stage removed it a moment ago: it is finished
            sent = {name: (v, self._upload(name, v, snapshots[name])) for name, v in versions.items()}
        files = {name: sha256 for name, (_, sha256) in sent.items()}
        record: dict[str, Any] = {"files": files, "made": datetime.now(UTC).isoformat(timespec="seconds")}
        self._objects.put(self._key(MANIFEST), seal(record))
        # Only what this process sent or found: another one may be about to name its own.
        for sha256 in set(self._manifest.values()) - set(files.values()):
            self._objects.delete(self._key(sha256))
        self._sent, self._manifest = sent, files
        return True

    def _upload(self, name: str, version: _Version, snapshot: Path) -> str:
        """Send a file unless it was in the last set, and return its SHA-256."""
        known = self._sent.get(name)
        if known is not None and known[0] == version:
            return known[1]
        sha256 = sha256_file(snapshot)
        self._objects.upload(self._key(sha256), snapshot)
        return sha256

    @contextlib.contextmanager
    def _snapshot(self, name: str) -> Iterator[Path]:
        """Yield a hard link to the file's present content: the stage replaces files while they are sent."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        path = self._scratch / name.replace("/", "%")
        path.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.link(self._folder / name, path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"


def _version(path: Path) -> _Version | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return _Version(status.st_ino, status.st_size, status.st_mtime_ns)
