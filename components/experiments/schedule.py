"""Running tasks that depend on each other, some at a time; a failed one takes along what builds on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class Outcome(Generic[T]):
    """What became of the tasks.

    Attributes:
        finished: In the order they ended.
        failed: With the error of each.
        blocked: With the failed or blocked task that each waited for.
    """

    finished: list[T] = field(default_factory=list)
    failed: dict[T, BaseException] = field(default_factory=dict)
    blocked: dict[T, T] = field(default_factory=dict)


def run_all(
    tasks: Sequence[T],
    after: Mapping[T, Sequence[T]],
    do: Callable[[T], None],
    *,
    jobs: int,
    on_end: Callable[[T, BaseException | None], None] | None = None,
) -> Outcome[T]:
    """Run every task once those it comes after are done.

    Args:
        tasks: In order of preference; nothing comes after a later one.
        after: What each waits for, among ``tasks``.
        do: Runs one, in a thread of its own.
        jobs: How many at a time.
        on_end: Told of every end, in the caller's thread.

    Any exception of ``do`` fails its task alone. An exception in the caller's thread (an interruption) leaves
    at once; whoever catches it must see to it that running tasks end.
    """
    outcome: Outcome[T] = Outcome()
    waiting, running = list(tasks), dict[Future[None], T]()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="cell")
    try:
        while waiting or running:
            _block(waiting, after, outcome)
            for task in _ready(waiting, after, outcome)[: jobs - len(running)]:
                waiting.remove(task)
                running[pool.submit(do, task)] = task
            if not running:
                continue
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                task, error = running.pop(future), future.exception()
                if error is None:
                    outcome.finished.append(task)
                else:
                    outcome.failed[task] = error
                if on_end is not None:
                    on_end(task, error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return outcome


def _ready(waiting: Sequence[T], after: Mapping[T, Sequence[T]], outcome: Outcome[T]) -> list[T]:
    done = set(outcome.finished)
    return [task for task in waiting if done.issuperset(after.get(task, ()))]


def _block(waiting: list[T], after: Mapping[T, Sequence[T]], outcome: Outcome[T]) -> None:
    """Move what can never run to ``blocked``."""
    for task in list(waiting):
        for earlier in after.get(task, ()):
            if earlier in outcome.failed or earlier in outcome.blocked:
                outcome.blocked[task] = earlier
                waiting.remove(task)
                break
