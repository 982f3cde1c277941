"""Reading batches ahead with threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prefetch(
    batches: Callable[[int], Batch], start: int, stop: int, *, threads: int = 2, ahead: int = 4
) -> Iterator[Batch]:
    """Yield ``batches(start)`` to ``batches(stop - 1)`` in order, reading ahead.

    Threads, not processes: copying mapped memory releases the interpreter, while carrying batches between
    processes made a stock loader 4 to 5 times slower (docs/training-speed.md).

    Args:
        batches: A pure function of the step, such as ``CropSampler.batch``.
        start: First step.
        stop: One past the last step.
        threads: Reading threads.
        ahead: Batches held ready at most; bounds the memory.
    """
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="prefetch") as pool:
        waiting: deque[Future[Batch]] = deque()
        upcoming = iter(range(start, stop))
        try:
            for step in upcoming:
                waiting.append(pool.submit(batches, step))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
