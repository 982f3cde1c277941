"""Trainings that are started again by the clock, those that wait for a person, and the notices of both."""

from __future__ import annotations

import pytest

from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.runs.finish import finish
from components.runs.plan import plan
from tests.runs.pipeline import World, command

ONCE = {"lease_h": 72, "redrives": {"other": 1}}


@pytest.fixture
def registered(world: World) -> World:
    """Deployment with one registered acquisition."""
    world.edit_params(orchestration=ONCE)
    world.objects.put("catalogue/first.json", b"{}")
    sha256 = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    Operations(world.objects).register(
        Registered(acquisition="first", catalogue_sha256=sha256, marker_sha256=sha256)
    )
    return world


def fail(world: World, run: str, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Let a run fail in its first stage."""
    with monkeypatch.context() as failing:
        failing.setenv("FAIL_prepare", how)
        assert plan(world.environment(), run) == 0
        assert command(world, "stage", "prepare", "--run", run)[0] in {65, 137}
        assert finish(world.environment(), run) == 0


def test_a_killed_training_is_started_again_and_then_told(
    registered: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = registered
    assert command(world, "redrive")[0] == 99, "what was never tried waits for its event"
    fail(world, "r1", monkeypatch, "killed")
    code, report = command(world, "redrive")
    assert (code, "out_of_memory" in report["result"]["reason"]) == (0, True)
    fail(world, "r2", monkeypatch, "killed")
    code, report = command(world, "redrive")
    assert (code, report["class"]) == (80, "redrives_spent")
    assert "all 1 redrives of class out_of_memory are spent" in report["message"]
    assert command(world, "redrive")[0] == 99, "told once"
    assert plan(world.environment(), "by-hand") == 0, "a person may start it all the same"
    capsys.readouterr()


def test_bad_data_are_told_once_a_day_and_never_started_again(
    registered: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = registered
    fail(world, "r1", monkeypatch, "bad_data")
    assert command(world, "redrive")[0] == 99
    code, report = command(world, "plan", "--run", "r2")
    assert (code, report["notice"]) == (99, "barred")
    assert "failed for good in run r1, stage prepare: bad_data" in report["message"]
    code, report = command(world, "plan", "--run", "r3")
    assert (code, "notice" in report) == (99, False)


def test_one_command_says_what_is_next_and_why(
    registered: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = registered
    assert command(world, "plan", "--dry-run")[0] == 0
    assert "not trained yet" in capsys.readouterr().out
    fail(world, "r1", monkeypatch, "bad_data")
    before = [info.key for info in world.objects.list()]
    capsys.readouterr()
    assert command(world, "plan", "--dry-run")[0] == 99
    shown = capsys.readouterr().out
    for words in (": barred", "first", "run r1", "last failure of prepare: bad_data", "--force"):
        assert words in shown
    assert [info.key for info in world.objects.list()] == before, "nothing is written"


def test_a_run_that_is_claimed_and_silent_is_started_again_soon(registered: World) -> None:
    world = registered
    world.edit_params(orchestration={"lease_h": 1e-9, "redrives": {"other": 1}})
    assert plan(world.environment(), "r1") == 0
    code, report = command(world, "redrive")
    assert (code, "fell silent" in report["result"]["reason"]) == (0, True)
    assert plan(world.environment(), "r2") == 0
    assert command(world, "stage", "prepare", "--run", "r1")[0] == 99
