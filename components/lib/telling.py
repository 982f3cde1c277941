"""Progress that people see: a bar on a terminal, lines in the log elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

TOLD_EVERY_S = 60.0
"""Seconds between two lines about the progress of one piece of work, where no bar can be shown."""

Advance = Callable[[int], object]
"""Function that takes the number of units that were done since its last call. Threads may share it."""


@contextmanager
def telling(
    what: str, total: int, unit: str, *, scale: bool = False, quiet: bool = False, leave: bool = True
) -> Iterator[Advance]:
    """Tell the progress of a piece of work: begin, a line every :data:`TOLD_EVERY_S`, and end.

    Args:
        what: Name of the work.
        total: Number of units.
        unit: Name of a unit: ``block``, ``tile``, ``B``.
        scale: True shows large numbers with a prefix (1.2G).
        quiet: True tells nothing.
        leave: True leaves the bar on the terminal when the work has ended.

    Yields:
        Function to call with each number of units that are done.
    """
    log = logging.getLogger(__name__)
    with tqdm(
        desc=what, total=total, unit=unit, unit_scale=scale, disable=True if quiet else None, leave=leave
    ) as bar:
        if quiet or not bar.disable:
            yield bar.update
            return
        begin = told = time.monotonic()
        done = 0

        def advance(number: int) -> None:
            nonlocal done, told
            done += number
            if time.monotonic() >= told + TOLD_EVERY_S and done < total:
                told = time.monotonic()
                left_min = (told - begin) / max(1, done) * (total - done) / 60
                log.info("%s: %s of %s, %.0f min left", what, size(done), size(total), left_min)

        def size(number: int) -> str:
            return tqdm.format_sizeof(number, unit) if scale else f"{number} {unit}{'s' * (number != 1)}"

        log.info("%s: %s", what, size(total))
        yield advance
        log.info("%s: done in %.0f s", what, time.monotonic() - begin)
