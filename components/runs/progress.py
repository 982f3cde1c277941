"""Watch over a stage's progress: bytes that its processes read or write.

A log line, a step that is logged, a checkpoint and a download are all bytes that pass through the kernel, so
no stage has to report anything. Processor time is none: a training that waits for a lock in a loop spends it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping

import psutil  # type: ignore[import-untyped]

from components.contract.failures import STALL_WARNING

LOG = logging.getLogger(__name__)

LOOKS = 60
"""Looks at the counters within the time after which a stage counts as stalled."""

LONGEST_LOOK_S = 30.0

Counters = Mapping[int, tuple[int, int]]
"""Bytes read and written so far, by process id."""


class ProgressWatch:
    """Watch over one stage, asked now and then.

    Args:
        worker: Process id of the stage's topmost process.
        address: Address of the stage, for the log.
        limit_s: Seconds without progress after which it counts as stalled; half way a warning is logged.
        read: Function that returns the counters of a process and of all below it.
        clock: Function that returns seconds that never run backwards.
    """

    def __init__(
        self,
        worker: int,
        address: str,
        limit_s: float,
        *,
        read: Callable[[int], Counters] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._worker = worker
        self._address = address
        self._limit_s = limit_s
        self._read = read or transferred_bytes
        self._clock = clock
        self._counters: Counters = {}
        self._progressed = self._looked = clock()
        self._warned = False

    def stalled(self) -> bool:
        """Return whether nothing has moved for the whole time; looks about every ``LONGEST_LOOK_S`` seconds.

        Where the kernel shows no counters nothing is known, and no stage is killed for it.
        """
        now = self._clock()
        if now - self._looked < min(self._limit_s / LOOKS, LONGEST_LOOK_S):
            return False
        self._looked = now
        counters = self._read(self._worker)
        if counters != self._counters or not counters:
            self._counters, self._progressed, self._warned = counters, now, False
            return False
        silent_s = now - self._progressed
        if silent_s >= self._limit_s / 2 and not self._warned:
            self._warned = True
            LOG.warning(
                "%s: %s: no step, no log line and no byte for %.0f minutes; it is killed after %.0f",
                STALL_WARNING,
                self._address,
                silent_s / 60,
                self._limit_s / 60,
            )
        return silent_s >= self._limit_s


def transferred_bytes(worker: int) -> Counters:
    """Return the bytes that a process and all below it have read and written, by process id.

    Also a process that begins or ends makes another result.
    """
    found: dict[int, tuple[int, int]] = {}
    with contextlib.suppress(psutil.Error):
        top = psutil.Process(worker)
        for process in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                counters = process.io_counters()
                found[process.pid] = (counters.read_chars, counters.write_chars)
    return found
