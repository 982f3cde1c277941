"""Cost of trainings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from components.lib.history.cost import Cost, CostParameters, cost_of_run, per_square_kilometre, promotions
from tests.lib.history.trainings import BEGIN, failure, stage, training

PRICES = CostParameters(
    currency="EUR",
    gpu_hour=2.0,
    cpu_hour=0.1,
    stored_gb_month=0.02,
    moved_gb=0.5,
    gpu_w=400.0,
    cpu_w=10.0,
    overhead=1.5,
)


def test_a_run_costs_what_its_stages_held() -> None:
    sizes = {"data/in": 3_000_000_000, "models/out": 1_000_000_000}
    trained = stage(
        "distill@concord", gpus=2, cpus=8.0, inputs={"data/in": "a"}, outputs={"models/out": "b"}, sizes=sizes
    )
    cost = cost_of_run(training(trained), PRICES)
    assert (cost.gpu_seconds, cost.cpu_seconds) == (7200.0, 28800.0)
    assert (cost.stored_bytes, cost.moved_bytes) == (1_000_000_000, 4_000_000_000)
    assert cost.work == pytest.approx(2 * 2.0 + 8 * 0.1 + 4 * 0.5)
    assert cost.storage == pytest.approx(0.02)
    assert cost.kwh == pytest.approx((2 * 0.4 + 8 * 0.01) * 1.5)


def test_stages_found_from_earlier_runs_and_restored_results_are_not_paid_twice() -> None:
    found = stage("prepare@p00", run="earlier", gpus=4, outputs={"data": "a"}, sizes={"data": 5})
    restored = stage("validate@p00", seconds=10, restored=True, outputs={"table": "b"}, sizes={"table": 7})
    cost = cost_of_run(training(found, restored), PRICES)
    assert (cost.gpu_seconds, cost.cpu_seconds, cost.moved_bytes, cost.stored_bytes) == (0.0, 10.0, 0, 7)


def test_one_content_is_stored_once() -> None:
    pair = [stage(name, outputs={f"{name}/x": "same"}, sizes={f"{name}/x": 11}) for name in ("a", "b")]
    assert cost_of_run(training(*pair), PRICES).stored_bytes == 11


def test_stages_without_times_and_failed_attempts_are_counted() -> None:
    unknown = stage("control", started=None, ended=None)
    of_another_graph = stage("former", gpus=None, cpus=None)
    run = training(
        unknown, of_another_graph, failures=(failure("control"), failure("control", run="earlier"))
    )
    cost = cost_of_run(run, PRICES)
    assert (cost.unpriced, cost.failed_attempts, cost.work) == (2, 1, 0.0)


def test_a_promotion_takes_all_runs_since_the_one_before() -> None:
    def run(name: str, hours: float, *, promoted: bool) -> object:
        return training(
            stage("control", run=name), run=name, ended=BEGIN + timedelta(hours=hours), promoted=promoted
        )

    runs = [
        run("d", 4, promoted=False),
        run("b", 2, promoted=True),
        run("a", 1, promoted=False),
        run("c", 3, promoted=True),
    ]
    found, since = promotions([*runs, training(run="at-work", ended=None)], PRICES)  # type: ignore[list-item]
    assert [(one.run.run, one.runs, one.cost.cpu_seconds) for one in found] == [
        ("b", 2, 7200.0),
        ("c", 1, 3600.0),
    ]
    assert since.cpu_seconds == 3600.0


def test_costs_add_up_and_without_a_map_there_is_no_price_per_area() -> None:
    assert Cost(work=1.0, unpriced=1) + Cost(work=2.0, kwh=3.0) == Cost(work=3.0, kwh=3.0, unpriced=1)
    assert per_square_kilometre(3.0, 2.0) == 1.5
    assert per_square_kilometre(3.0, 0.0) is None
