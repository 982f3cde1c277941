"""Position of the next set: bad luck is started again by the clock, bad input waits for a person."""

from __future__ import annotations

from datetime import timedelta

import pytest

from components.lib.operations.decisions import ClaimRequest, NothingToDo
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.standing import Position, Standing, standing_of
from tests.lib.operations.stepping import START, Memory

LEASE = timedelta(hours=2)
CODE, PARAMS = "c" * 64, "d" * 64
REDRIVES = {"out_of_memory": 1, "other": 2}


class Ledger:
    """Operations on a clock that stands still."""

    def __init__(self) -> None:
        self.now = START
        self.operations = Operations(Memory(), lambda: self.now)

    def register(self, name: str) -> None:
        self.operations.register(
            Registered(acquisition=name, catalogue_sha256=name[0] * 64, marker_sha256="f" * 64)
        )

    def plan(self, run: str, *, force: bool = False) -> bool:
        request = ClaimRequest(run=run, code=CODE, params=PARAMS)
        return not isinstance(self.operations.claim(request, lease=LEASE, force=force), NothingToDo)

    def fail(self, run: str, failure_class: str) -> None:
        assert self.plan(run)
        self.operations.failed(run, failure_class=failure_class, stage="optical", message="it broke")

    def standing(self) -> Standing:
        state = self.operations.state()
        return standing_of(state, CODE, PARAMS, now=self.now, lease=LEASE, redrives=REDRIVES)


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger()
    made.register("a")
    return made


def test_nothing_registered_new_at_work_and_trained(ledger: Ledger) -> None:
    assert Ledger().standing().position is Position.EMPTY
    assert ledger.standing().position is Position.NEW
    ledger.plan("run-1")
    found = ledger.standing()
    assert (found.position, found.acquisitions) == (Position.AT_WORK, ("a",))
    assert "run run-1 trains this set" in found.reason
    assert "claim: run run-1, last sign of life 2026-01-01 00:00 UTC" in found.text()
    ledger.operations.succeeded("run-1", record_sha256="e" * 64, promoted=False)
    assert ledger.standing().position is Position.TRAINED


@pytest.mark.parametrize("failure_class", ["bad_data", "gate_refused", "misconfigured"])
def test_bad_input_bars_the_set_and_says_why(ledger: Ledger, failure_class: str) -> None:
    ledger.fail("run-1", failure_class)
    found = ledger.standing()
    assert found.position is Position.BARRED
    assert f"stage optical: {failure_class}: it broke" in found.reason
    assert "--force" in found.next_step


@pytest.mark.parametrize("failure_class", ["code_error", "crashed", "missing_input", "resource", "stalled"])
def test_anything_else_is_started_again_a_bounded_number_of_times(ledger: Ledger, failure_class: str) -> None:
    for number in (1, 2):
        ledger.fail(f"run-{number}", failure_class)
        found = ledger.standing()
        assert found.position is Position.REDRIVE, found
        assert f"redrive {number} of 2 is due" in found.reason
    ledger.fail("run-3", failure_class)
    found = ledger.standing()
    assert found.position is Position.SPENT
    assert f"all 2 redrives of class {failure_class} are spent" in found.reason
    assert f"failures so far: {failure_class} 3" in found.text()
    assert ledger.plan("by-hand"), "who starts a run is not counted out"


def test_each_class_has_a_budget_of_its_own(ledger: Ledger) -> None:
    ledger.fail("run-1", "out_of_memory")
    ledger.fail("run-2", "source_unavailable")
    assert ledger.standing().position is Position.REDRIVE
    ledger.fail("run-3", "out_of_memory")
    assert ledger.standing().position is Position.SPENT


def test_a_silent_run_is_started_again_once_its_lease_is_over(ledger: Ledger) -> None:
    ledger.plan("run-1")
    for number in (2, 3):
        ledger.now += LEASE
        assert ledger.standing().position is Position.AT_WORK
        ledger.now += timedelta(seconds=1)
        found = ledger.standing()
        assert found.position is Position.REDRIVE
        assert "fell silent" in found.reason
        assert ledger.plan(f"run-{number}")
    ledger.now += 2 * LEASE
    assert ledger.standing().position is Position.SPENT


def test_a_new_acquisition_begins_anew(ledger: Ledger) -> None:
    ledger.fail("run-1", "bad_data")
    ledger.register("b")
    assert ledger.standing().position is Position.NEW
