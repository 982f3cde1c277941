"""Tasks that depend on each other, some at a time; a failed one takes along what builds on it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Generic, TypeVar

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from components.contract.errors import ParameterError

LOG = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass
class TaskResults(Generic[T]):
    """Tasks by how they ended.

    Attributes:
        finished: Finished tasks in the order they ended.
        failed: Error by failed task.
        blocked: Failed or blocked task that each task which never ran waited for.
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
) -> TaskResults[T]:
    """Run every task once those it comes after are done.

    Any exception of ``do`` fails its task alone. An exception in the caller's thread (an interruption) leaves
    at once; the caller then ends the running tasks.

    Args:
        tasks: Tasks in order of preference; nothing comes after a later one.
        after: Tasks that each waits for, among ``tasks``.
        do: Runs one, in a thread of its own.
        jobs: Tasks at a time.
        on_end: Called at every end with the task and its error, in the caller's thread.
    """
    results: TaskResults[T] = TaskResults()
    preference = {task: place for place, task in enumerate(tasks)}
    order = TopologicalSorter({task: after.get(task, ()) for task in tasks})
    order.prepare()
    ready, running = list[T](), dict[Future[None], T]()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="trial")
    try:
        while True:
            ready = sorted([*ready, *order.get_ready()], key=preference.__getitem__)
            free = jobs - len(running)
            running |= {pool.submit(do, task): task for task in ready[:free]}
            del ready[:free]
            if not running:
                break
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ended:
                task, error = running.pop(future), future.exception()
                if error is None:
                    results.finished.append(task)
                    order.done(task)
                else:
                    # Never done for the sorter: what comes after it never becomes ready.
                    results.failed[task] = error
                if on_end is not None:
                    on_end(task, error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    _add_blocked(results, tasks, after)
    return results


def run_with_bar(
    tasks: Sequence[T], after: Mapping[T, Sequence[T]], do: Callable[[T], None], *, jobs: int, title: str
) -> TaskResults[T]:
    """Run every task as :func:`run_all` does, with a progress bar; each failure is logged as it comes."""
    with logging_redirect_tqdm(), tqdm(total=len(tasks), desc=title, disable=None) as bar:

        def ended(task: T, error: BaseException | None) -> None:
            bar.update()
            if error is not None:
                LOG.error("%s failed: %s", task, error)

        return run_all(tasks, after, do, jobs=jobs, on_end=ended)


def check_trials(seeds: Sequence[int], jobs: int) -> None:
    """Check the seeds of a comparison's rows, and how many trainings run at a time.

    Two trainings of one seed would be one trial twice, and make the spread of the seeds too small.

    Raises:
        ParameterError: If a seed is given twice or is none, or no training is to run.
    """
    distinct = len(set(seeds)) == len(seeds) and all(0 <= seed < 2**32 for seed in seeds)
    if not distinct or jobs < 1:
        raise ParameterError(
            f"--seeds {' '.join(map(str, seeds))} --jobs {jobs}: seeds must be distinct and "
            "between 0 and 2**32 - 1, jobs at least 1",
            next_step="correct them",
        )


def _add_blocked(results: TaskResults[T], tasks: Sequence[T], after: Mapping[T, Sequence[T]]) -> None:
    """Note, for each task that never ran, the first failed or blocked task it waited for."""
    for task in tasks:
        for earlier in after.get(task, ()):
            if earlier in results.failed or earlier in results.blocked:
                results.blocked[task] = earlier
                break
