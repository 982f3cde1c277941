"""Staging folder of one acquisition: files that have arrived, outside ``data/raw``.

DVC deletes ``data/raw`` before it runs the stage, so everything worth keeping lives here:

* ``partial/``: shards (or a tarball) under way, and the journal of their finished ranges;
* ``shards/``: finished shards, each with a record (``shard-000.json``) of what it was made from and holds;
* ``complete.json``: that the shards of a stream are all there.

``data/raw`` is made of hard links to the finished shards. They are never written again, only replaced.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from components.contract.errors import ResourceError
from components.contract.hashing import sha256_bytes
from components.lib.files import write_json
from components.lib.shards.manifest import FileRow

FULL_DISK_ADVICE = "free some space and run the command again: what has arrived is kept"


@dataclass(frozen=True, slots=True)
class FinishedShard:
    """A shard that will not change any more, and the manifest rows of its files."""

    path: Path
    rows: tuple[FileRow, ...]


class Staging:
    """One acquisition's staging folder.

    Args:
        folder: ``var/download/<acquisition>``; made if absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.partial = folder / "partial"
        self.shards = folder / "shards"
        self.partial.mkdir(parents=True, exist_ok=True)
        self.shards.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; the lock goes with the process, however it ends.

        Raises:
            ResourceError: If another process fetches the same acquisition.
        """
        with (self.folder / "lock").open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ResourceError(
                    f"{self.folder.name}: another process is fetching it",
                    next_step="wait for it, then run the command again",
                ) from error
            yield

    def finished(self, name: str, fingerprint: str) -> FinishedShard | None:
        """Return the finished shard ``name`` if it is of ``fingerprint`` and its bytes are untouched."""
        record = _read(self._record(name))
        path = self.shards / name
        if not path.is_file():
            return None
        try:
            status = path.stat()
            if record["fingerprint"] != fingerprint or status.st_size != record["size"]:
                return None
            rows = tuple(FileRow(**row) for row in record["rows"])
            # Size and time are enough while nobody touched the file; otherwise its bytes decide.
            if status.st_mtime_ns != record["mtime_ns"] and not _intact(path, rows):
                return None
        except (KeyError, TypeError, ValueError):  # a damaged record, or none: the shard is made again
            return None
        return FinishedShard(path, rows)

    def finish(self, name: str, fingerprint: str, rows: Sequence[FileRow]) -> FinishedShard:
        """Move ``partial/<name>`` to the finished shards and record it."""
        source, path = self.partial / name, self.shards / name
        self._record(name).unlink(missing_ok=True)
        source.chmod(0o644)
        source.replace(path)
        status = path.stat()
        record = {
            "fingerprint": fingerprint,
            "size": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "rows": [asdict(row) for row in rows],
        }
        write_json(self._record(name), record)
        return FinishedShard(path, tuple(rows))

    def completed_stream(self, fingerprint: str) -> list[FinishedShard] | None:
        """Return the shards of a stream that was written to its end from ``fingerprint``."""
        record = _read(self.folder / "complete.json")
        try:
            names = [str(name) for name in record["shards"]] if record["fingerprint"] == fingerprint else None
        except (KeyError, TypeError):
            return None
        if names is None:
            return None
        shards = [self.finished(name, fingerprint) for name in names]
        return [shard for shard in shards if shard is not None] if None not in shards else None

    def complete_stream(self, fingerprint: str, names: list[str]) -> None:
        """Record that a stream's shards are ``names``, all of them finished."""
        write_json(self.folder / "complete.json", {"fingerprint": fingerprint, "shards": names})

    def keep_only(self, names: Sequence[str]) -> None:
        """Drop all partial files, and finished shards other than ``names``."""
        shutil.rmtree(self.partial, ignore_errors=True)
        keep = {*names, *(self._record(name).name for name in names)}
        for path in self.shards.iterdir():
            if path.name not in keep:
                path.unlink()

    def fresh_partial(self, keep: Sequence[str] = ()) -> None:
        """Empty ``partial/`` but for the files of names ``keep``."""
        self.partial.mkdir(parents=True, exist_ok=True)
        for path in self.partial.iterdir():
            if path.name not in keep:
                path.unlink()

    def partial_bytes(self) -> int:
        """Return the bytes that the files under way occupy already (they are sparse)."""
        return sum(path.stat().st_blocks * 512 for path in self.partial.iterdir())

    def _record(self, name: str) -> Path:
        return self.shards / f"{Path(name).stem}.json"


def _intact(path: Path, rows: Sequence[FileRow]) -> bool:
    with path.open("rb") as shard:
        for row in rows:
            shard.seek(row.offset)
            if sha256_bytes(shard.read(row.size)) != row.sha256:
                return False
    return True


def _read(path: Path) -> Any:  # noqa: ANN401 - whatever json can hold
    """Read the JSON of ``path``; ``None`` if it is absent or damaged, which costs a transfer, no more."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
