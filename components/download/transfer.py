"""Ranged, parallel, resumable transfer of objects into place."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from components.download.journal import Journal, Target
from components.download.sources.base import RangeReader, TransientError
from components.download.sources.retrying import Retrying

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """Settings of a transfer: parallel ``workers``, ``part_bytes`` per request, ``attempts`` per request."""

    workers: int
    part_bytes: int
    attempts: int


class _Bar(Protocol):
    def update(self, n: float | None = 1, /) -> object: ...


@dataclass(frozen=True, slots=True)
class _Part:
    target: Target
    start: int
    stop: int


class Transfer:
    """Fetches what the journal lacks into files below ``folder``.

    Args:
        folder: Holds the files that the targets name.
        reader: The source's range reader.
        settings: Degree of parallelism and patience.
        label: Shown in front of the progress bar.
    """

    def __init__(self, folder: Path, reader: RangeReader, settings: TransferSettings, label: str) -> None:
        self._folder = folder
        self._reader = reader
        self._settings = settings
        self._label = label
        self._stop = threading.Event()
        self._handles: dict[str, int] = {}

    def run(
        self, targets: Iterable[Target], journal: Journal, on_file: Callable[[str], None] = lambda _: None
    ) -> int:
        """Fetch every missing range.

        Args:
            targets: Objects and places.
            journal: Record of what has arrived; extended as more arrives.
            on_file: Called in this thread with the name of each file that has become complete, files that
                lacked nothing included.

        Returns:
            Bytes fetched.

        Raises:
            SourceUnavailableError: If a request failed for good.
            ObjectChangedError: If an object is no longer the listed one.
            OSError: If the disk is full.
        """
        targets = list(targets)
        parts = [
            _Part(target, start, stop)
            for target in targets
            for start, stop in journal.missing(target, self._settings.part_bytes)
        ]
        total = sum(target.item.size for target in targets)
        missing = sum(part.stop - part.start for part in parts)
        waiting = Counter(part.target.file for part in parts)
        with tqdm(
            total=total, initial=total - missing, unit="B", unit_scale=True, desc=self._label, disable=None
        ) as bar:
            try:
                for file in dict.fromkeys(target.file for target in targets):
                    self._handles[file] = os.open(self._folder / file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
                    if not waiting[file]:
                        on_file(file)
                self._fetch_all(parts, journal, waiting, on_file, bar)
            finally:
                for handle in self._handles.values():
                    os.close(handle)
                self._handles.clear()
        return missing

    def _fetch_all(
        self,
        parts: list[_Part],
        journal: Journal,
        waiting: Counter[str],
        on_file: Callable[[str], None],
        bar: _Bar,
    ) -> None:
        with ThreadPoolExecutor(self._settings.workers, thread_name_prefix="download") as pool:
            futures = [pool.submit(self._fetch, part, journal, bar) for part in parts]
            try:
                for future in as_completed(futures):
                    file = future.result().target.file
                    waiting[file] -= 1
                    if not waiting[file]:
                        on_file(file)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _fetch(self, part: _Part, journal: Journal, bar: _Bar) -> _Part:
        handle, target = self._handles[part.target.file], part.target
        position = part.start

        def request() -> None:
            # A body that broke off is continued behind its last byte, not from the part's start.
            nonlocal position
            for chunk in self._reader.read(target.item, position, part.stop):
                if position + len(chunk) > part.stop:
                    raise TransientError("more bytes than asked for")
                _write_at(handle, chunk, target.offset + position)
                position += len(chunk)
                bar.update(len(chunk))
                if self._stop.is_set() and position < part.stop:
                    raise TransientError("stopped")
            if position < part.stop:
                raise TransientError(f"{part.stop - position} of {part.stop - part.start} bytes are missing")

        Retrying(self._settings.attempts, self._stop).call(target.item.uri, request)
        os.fdatasync(handle)
        journal.record(target, part.start, part.stop)
        return part


def _write_at(handle: int, chunk: bytes, offset: int) -> None:
    view = memoryview(chunk)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written
