from __future__ import annotations

import os

import pytest

from components.contract.errors import ResourceError
from components.simulation.workers import SMALL_WORLD_PX, drawn_in_order, worth_workers


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_jobs(workers: int) -> None:
    assert list(drawn_in_order(pow, [(k, 2) for k in range(20)], workers)) == [k**2 for k in range(20)]


def test_a_killed_process_is_a_named_error() -> None:
    with pytest.raises(ResourceError, match="was killed"):
        list(drawn_in_order(os._exit, [(1,), (1,)], 2))


def test_a_small_world_is_drawn_by_one_process() -> None:
    assert worth_workers(SMALL_WORLD_PX) == 1
    assert worth_workers(SMALL_WORLD_PX + 1) == len(os.sched_getaffinity(0))
