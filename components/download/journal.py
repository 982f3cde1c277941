"""Journal of the ranges that have arrived: a killed run need not fetch them again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from components.download.sources.base import RemoteObject
from components.lib.files import atomic_file

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Target:
    """One object and the place of its bytes.

    Attributes:
        item: The object.
        file: Name of the file below the partial folder.
        offset: Byte offset of the content in that file.
    """

    item: RemoteObject
    file: str
    offset: int

    @property
    def identity(self) -> str:
        """Object, version and place. A journal line counts for exactly this and nothing else."""
        return json.dumps(
            [self.item.uri, self.item.version, self.item.size, self.file, self.offset], separators=(",", ":")
        )


class Journal:
    """An append-only text file of finished ranges; threads may share it.

    A range is noted after its bytes are on the disk. Lines of other versions or places are dropped when the
    journal is opened, before anything is overwritten, so that they can never come to count again.

    Args:
        path: The file.
        targets: Objects that are being fetched now.
    """

    def __init__(self, path: Path, targets: Iterable[Target]) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._done: dict[str, list[Range]] = {target.identity: [] for target in targets}
        for identity, start, stop in _lines(path):
            if identity in self._done:
                self._done[identity].append((start, stop))
        self._rewrite()

    def missing(self, target: Target, part_bytes: int) -> list[Range]:
        """Return the ranges ``[start, stop)`` still to fetch, each at most ``part_bytes`` long."""
        gaps, position = [], 0
        for start, stop in [*sorted(self._done[target.identity]), (target.item.size, target.item.size)]:
            while position < start:
                end = min(position + part_bytes, start)
                gaps.append((position, end))
                position = end
            position = max(position, stop)
        return gaps

    def record(self, target: Target, start: int, stop: int) -> None:
        """Record that ``[start, stop)`` is on the disk."""
        line = json.dumps([target.identity, start, stop])
        with self._lock:
            self._done[target.identity].append((start, stop))
            with self._path.open("a", encoding="utf-8") as journal:
                journal.write(line + "\n")

    def discard(self, targets: Iterable[Target]) -> None:
        """Discard all ranges of ``targets``."""
        with self._lock:
            for target in targets:
                self._done[target.identity] = []
            self._rewrite()

    def _rewrite(self) -> None:
        with atomic_file(self._path) as path, path.open("w", encoding="utf-8") as journal:
            for identity, ranges in self._done.items():
                journal.writelines(json.dumps([identity, start, stop]) + "\n" for start, stop in ranges)


def _lines(path: Path) -> Iterable[tuple[str, int, int]]:
    """Read the journal's lines; a last line that a kill cut short is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            identity, start, stop = json.loads(line)
        except ValueError:
            continue
        if isinstance(identity, str) and isinstance(start, int) and isinstance(stop, int):
            yield identity, start, stop
