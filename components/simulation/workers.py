"""Drawing by several processes, its results in the order of the jobs."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from components.contract.errors import ResourceError
from components.contract.processes import exit_with_parent

SMALL_WORLD_PX = 1_700_000
"""Pixels below which starting worker processes takes longer than drawing them."""

T = TypeVar("T")


def worth_workers(pixels: int) -> int:
    """Return how many processes to draw ``pixels`` with: one where starting more takes longer."""
    return len(os.sched_getaffinity(0)) if pixels > SMALL_WORLD_PX else 1


def drawn_in_order(draw: Callable[..., T], jobs: Sequence[tuple[Any, ...]], workers: int) -> Iterator[T]:
    """Yield ``draw(*job)`` for every job, in order, drawn by ``workers`` processes; one draws here.

    Args:
        draw: A module's function, whose result depends on its arguments only.
        jobs: Arguments of each call.
        workers: Processes.

    Raises:
        ResourceError: If a process was killed, most likely for memory.
    """
    if workers <= 1 or len(jobs) < 2:
        for job in jobs:
            yield draw(*job)
        return
    # Fresh processes, never forks of this one: its threads (boto3, torch) may hold locks.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=exit_with_parent)
    waiting: deque[Future[T]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(draw, *job))
            # Few results wait at a time, so that a slow reader cannot fill the memory.
            if len(waiting) > 3 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ResourceError(
            "a process that drew the simulated world was killed, most likely for memory",
            next_step="free memory, or let the command use fewer cores (taskset), and run it again",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
