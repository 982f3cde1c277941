from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from components.lib.mapping.ahead import ahead, side_by_side


def test_items_come_in_order_and_at_most_so_many_are_computed_ahead() -> None:
    computed = []
    all_computed = threading.Event()

    def source() -> Generator[int, None, None]:
        for item in range(6):
            computed.append(item)
            if item == 2:
                all_computed.set()
            yield item

    items = ahead(source(), depth=2, name="test")
    assert next(items) == 0
    assert all_computed.wait(10)  # 1 and 2 are computed while 0 is in use
    assert len(computed) <= 3
    assert list(items) == [1, 2, 3, 4, 5]


def test_an_error_arrives_after_the_items_before_it() -> None:
    def source() -> Generator[int, None, None]:
        yield 1
        raise ValueError("no more")

    items = ahead(source(), depth=3, name="test")
    assert next(items) == 1
    with pytest.raises(ValueError, match="no more"):
        next(items)


def test_who_stops_early_ends_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def source() -> Generator[int, None, None]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    before = threading.active_count()
    items = ahead(ahead(source(), depth=1, name="inner"), depth=1, name="outer")
    next(items)
    items.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_many_threads_yield_in_order() -> None:
    both = threading.Barrier(2, timeout=30)

    def work(item: int) -> int:
        # Two are under way at the same time, or the barrier breaks.
        both.wait()
        return item * item

    found = side_by_side((k for k in range(10)), work, 2, "w")
    assert list(found) == [k * k for k in range(10)]


def test_many_threads_take_few_items_ahead_and_close_their_source() -> None:
    taken: list[int] = []

    def source() -> Generator[int, None, None]:
        try:
            for k in range(100):
                taken.append(k)
                yield k
        finally:
            taken.append(-1)

    found = side_by_side(source(), lambda item: item, 2, "w")
    assert next(found) == 0
    assert taken == [0, 1, 2, 3]
    found.close()
    assert taken[-1] == -1


def test_an_error_of_one_of_many_threads_arrives_in_its_place() -> None:
    def work(item: int) -> float:
        return 1 / (3 - item)

    found = side_by_side((k for k in range(10)), work, 2, "w")
    assert [next(found) for _ in range(3)] == [1 / 3, 1 / 2, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(found)
