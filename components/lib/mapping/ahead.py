"""Stages of work that run side by side: an iterator's items, computed in a thread of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    """End of the items, by an error or without one."""

    error: BaseException | None


class _Channel(Generic[T]):
    """Queue that admits a bounded number of items, and no more once it is closed."""

    def __init__(self, depth: int) -> None:
        self.items: SimpleQueue[T | _End] = SimpleQueue()
        self.room = threading.Semaphore(depth)
        self.closed = False

    def run(self, source: Generator[T, None, None]) -> None:
        """Compute all items; whatever ends the source early is raised where the items are taken."""
        error: BaseException | None = None
        try:
            while self._may_go_on():
                self.items.put(next(source))
        except StopIteration:
            pass
        except BaseException as raised:
            error = raised
        finally:
            source.close()
            self.items.put(_End(error))

    def close(self) -> None:
        """Let the thread end after the item that it is at."""
        self.closed = True
        self.room.release()

    def _may_go_on(self) -> bool:
        self.room.acquire()
        return not self.closed


def ahead(source: Generator[T, None, None], depth: int, name: str) -> Generator[T, None, None]:
    """Yield the items of ``source``, computed ahead in a thread.

    Args:
        source: Used by that thread alone, and closed by it.
        depth: Items that are computed or wait to be taken, at most.
        name: Name of the thread.

    Raises:
        BaseException: Whatever ``source`` raises, in its place among the items.
    """
    channel: _Channel[T] = _Channel(depth)
    thread = threading.Thread(target=channel.run, args=(source,), name=name, daemon=True)
    thread.start()
    try:
        while not isinstance(item := channel.items.get(), _End):
            channel.room.release()
            yield item
            # While the next one is waited for, a large item is not kept by its name here.
            del item
        if item.error is not None:
            raise item.error
    finally:
        channel.close()
        thread.join()


def side_by_side(
    source: Generator[S, None, None], work: Callable[[S], T], threads: int, name: str
) -> Generator[T, None, None]:
    """Yield ``work(item)`` of the items of ``source`` in their order, computed by several threads.

    Args:
        source: Closed at the end. Its items are taken by whoever takes the results.
        work: Called by any of the threads.
        threads: Number of threads. Twice as many items are under way or wait to be taken, at most.
        name: Beginning of the threads' names.

    Raises:
        BaseException: Whatever ``source`` or ``work`` raises, in its place among the items.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    waiting: deque[Future[T]] = deque()
    with closing(source):
        try:
            for item in source:
                waiting.append(pool.submit(work, item))
                if len(waiting) == 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
