"""What is at work, stuck, barred or waits, read off a real ledger."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from components.dashboard.waiting import Waiting, find_waiting
from components.lib.objects.folder import FolderObjects
from tests.lib.history.ledgers import LEASE, Trainings


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    return Trainings(FolderObjects(tmp_path))


def waiting(trainings: Trainings, later: timedelta = timedelta()) -> list[Waiting]:
    return find_waiting(trainings.operations.state(), now=trainings.now + later, lease=LEASE)


def test_a_new_acquisition_waits(trainings: Trainings) -> None:
    (found,) = waiting(trainings)
    assert (found.standing, found.subject) == ("waits", "1 acquisition")
    assert "a1" in found.reason
    trainings.succeed("r1")
    assert waiting(trainings) == []


def test_a_run_is_at_work_and_stuck_when_it_falls_silent(trainings: Trainings) -> None:
    trainings.claim("r1")
    (found,) = waiting(trainings)
    assert (found.standing, found.run, found.next_step) == ("at work", "r1", "")
    (found,) = waiting(trainings, timedelta(hours=3))
    assert found.standing == "stuck"
    assert "release --run r1" in found.next_step


def test_a_failure_for_good_bars_the_set_and_another_is_started_again(trainings: Trainings) -> None:
    trainings.fail("r1", failure_class="bad_data")
    barred = waiting(trainings)[0]
    assert (barred.standing, barred.run) == ("barred", "r1")
    assert "it is torn" in barred.reason
    assert "--force" in barred.next_step
    trainings.fail("r2", failure_class="source_unavailable")
    assert waiting(trainings)[0].standing == "failed"


def test_many_acquisitions_are_counted(trainings: Trainings) -> None:
    for number in range(2, 9):
        trainings.register(f"a{number}")
    (found,) = waiting(trainings)
    assert found.subject == "8 acquisitions"
    assert found.reason.endswith("and 3 more")
