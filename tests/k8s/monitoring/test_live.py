"""Real Prometheus and Alertmanager: panels have data, failures reach a receiver by their alerts."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from typing import Any

import pytest

from components.contract.failures import FAILURE_CLASSES, FailureKind
from tests.k8s.monitoring.fake_exporter import Installation
from tests.k8s.monitoring.queries import FOLDER, REGISTRY, RULES, panels
from tests.k8s.monitoring.stack import Stack, running

ALERT_OF = runpy.run_path(str(FOLDER / "alerts.py"))["alert_of"]
ALWAYS = "Watchdog"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("prometheus"), Installation(REGISTRY), RULES) as started:
        yield started


def test_watchdog_reaches_the_receiver(stack: Stack) -> None:
    stack.seconds_until_alone({ALWAYS})
    assert stack.ever == {ALWAYS}


def test_every_panel_has_data(stack: Stack) -> None:
    """Of all panels, each query; a failure that stands, as one panel shows it."""
    stack.installation.failing = "crashed"
    wanted = [(name, panel["title"], t["expr"]) for name, panel in panels() for t in panel["targets"]]
    empty: list[Any] = wanted

    def filled() -> bool:
        nonlocal empty
        empty = [one for one in empty if not stack.samples(one[2])]
        return not empty

    stack.seconds_until(filled, lambda: empty)
    stack.installation.failing = None
    stack.seconds_until_alone({ALWAYS})
    assert len(wanted) > 60


def test_each_failure_class_fires_exactly_its_alert_and_clears(stack: Stack) -> None:
    """From the exporter's first word of a failure until the receiver knows of it, and of no other."""
    fake = stack.installation
    stack.ever.clear()
    measured: dict[str, float] = {}
    for kind in FAILURE_CLASSES:
        name = ALERT_OF(kind)
        if name is None:
            continue
        spent, lost = kind == FailureKind.REDRIVES_SPENT, kind == FailureKind.CLAIM_LOST
        fake.position, fake.failing = ("spent", "crashed") if spent else ("redrive", str(kind))
        fake.taken_over = int(lost)
        fake.failing = None if lost else fake.failing
        measured[name] = stack.seconds_until_alone({ALWAYS, name})
    fake.position, fake.failing, fake.taken_over = "trained", None, 0
    cleared = stack.seconds_until_alone({ALWAYS})
    lines = [f"{name} {seconds:.1f}" for name, seconds in measured.items()]
    print(*lines, f"last one cleared {cleared:.1f}", sep="\n")
    assert stack.ever - {ALWAYS} == set(measured)
