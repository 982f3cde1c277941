from __future__ import annotations

import threading

import pytest

from components.experiments.schedule import run_all

AFTER = {"b": ["a"], "c": ["b"], "e": ["d"]}


@pytest.mark.parametrize("jobs", [1, 2, 8])
def test_every_task_runs_once_and_after_those_it_waits_for(jobs: int) -> None:
    order: list[str] = []
    guard = threading.Lock()

    def do(task: str) -> None:
        with guard:
            assert set(AFTER.get(task, ())) <= set(order)
            order.append(task)

    outcome = run_all(list("abcde"), AFTER, do, jobs=jobs)
    assert sorted(order) == list("abcde") == sorted(outcome.finished)
    assert not outcome.failed
    assert not outcome.blocked


def test_a_failure_takes_along_what_builds_on_it_and_nothing_else() -> None:
    ended = []

    def do(task: str) -> None:
        if task == "a":
            raise ValueError("no")

    outcome = run_all(
        list("abcde"), AFTER, do, jobs=2, on_end=lambda task, error: ended.append((task, str(error or "")))
    )
    assert sorted(outcome.finished) == ["d", "e"]
    assert list(outcome.failed) == ["a"]
    assert outcome.blocked == {"b": "a", "c": "b"}
    assert sorted(ended) == [("a", "no"), ("d", ""), ("e", "")]


def test_no_more_at_a_time_than_asked_for() -> None:
    running, most = 0, 0
    guard, together = threading.Lock(), threading.Barrier(2, timeout=20)

    def do(task: int) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        together.wait()  # nobody goes on alone: two really run side by side
        with guard:
            running -= 1

    run_all(list(range(6)), {}, do, jobs=2)
    assert most == 2
