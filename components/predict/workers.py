"""Blocks of a map by several processes on one machine, each with the map opened for itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context

from components.contract.errors import ResourceError
from components.contract.processes import exit_with_parent
from components.lib.mapping.blocks import shares
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.telling import telling
from components.predict.mapping import SceneMap
from components.predict.request import MapRequest

_SHARES = 4
"""Shares of the blocks for each process: enough that none waits long for the last one."""

_opened: list[tuple[SceneMap, ObjectStore]] = []
"""The map that a worker process has opened, and its store of blocks."""


def map_side_by_side(request: MapRequest, opened: SceneMap, work: ObjectStore, prefix: str) -> None:
    """Map the missing blocks with ``map.workers`` processes; one process maps here.

    Raises:
        StormsightError: What failed; blocks that were finished stay.
        ResourceError: If a process was killed, most likely for memory.
    """
    missing = opened.missing(work, prefix)
    workers = min(request.rules.parameters.workers, len(missing))
    if workers < 2:
        opened.map_blocks(missing, work, prefix)
        return
    parts = [missing[part.start : part.stop] for part in shares(len(missing), workers * _SHARES)]
    pool = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=_open,
        initargs=(_for_worker(request, workers), work.uri),
    )
    try:
        with telling(f"map {opened.id}", len(missing), "block") as advance:
            futures = [pool.submit(_map, share, prefix) for share in parts]
            for future in futures:
                future.add_done_callback(lambda done: advance(0 if done.exception() else done.result()))
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
    except BrokenProcessPool as error:
        raise _killed(opened) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _for_worker(request: MapRequest, workers: int) -> MapRequest:
    """Return the request with each process's share of the cores."""
    parameters = request.rules.parameters
    if parameters.threads is not None:
        return request
    threads = max(1, (os.cpu_count() or 1) // workers)
    rules = replace(request.rules, parameters=parameters.model_copy(update={"threads": threads}))
    return replace(request, rules=rules)


def _open(request: MapRequest, work: str) -> None:
    exit_with_parent()  # blocks are written whole or not at all: nothing needs tidying
    _opened.append((request.open(), open_objects(work)))


def _map(numbers: Sequence[int], prefix: str) -> int:
    opened, work = _opened[0]
    opened.map_blocks(numbers, work, prefix, quiet=True)
    return len(numbers)


def _killed(opened: SceneMap) -> ResourceError:
    return ResourceError(
        f"a process that mapped blocks of {opened.id} was killed, most likely for memory",
        next_step="run the same command again with fewer map.workers: finished blocks are kept",
    )
