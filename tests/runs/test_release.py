"""A claim that nobody works on is given up by hand, and the ledger says by whom and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from components.acquisitions.__main__ import main as withdraw
from components.lib.operations.operations import Operations
from components.runs import stage as stage_module
from components.runs.plan import plan
from components.runs.release import release
from tests.lib.operations.test_operations import register
from tests.runs.pipeline import World, command
from tests.runs.test_redrive import registered

__all__ = ["registered"]


def test_another_run_may_train_at_once(registered: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = registered
    assert plan(world.environment(), "r1") == 0
    assert command(world, "plan", "--run", "r2")[0] == 99, "r1 is at work"
    monkeypatch.setenv("STORMSIGHT_ACTOR", "ada")
    assert command(world, "release", "--run", "r1", "--reason", "its node is gone")[0] == 0
    operations = Operations(world.objects)
    last = operations.chain.entries()[-1].body
    assert (last["event"], last["actor"]) == ("failed", "ada")
    assert last["message"] == "released by hand: its node is gone"
    assert not operations.renew("r1", lease=timedelta(hours=1)), (
        "what r1 still runs stops at its next renewal"
    )
    assert plan(world.environment(), "r2") == 0


def test_a_stage_of_a_run_that_was_given_up_stops(
    registered: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed run's stage may be repeated; one whose claim a person ended may not, nor begin."""
    world = registered
    assert plan(world.environment(), "r1") == 0
    stopped: list[int] = []

    def supervise(*_: object, on_tick: Callable[[], None], **__: object) -> int:
        stopped.append(release(world.environment(), "r1", "its node is gone"))
        on_tick()
        raise AssertionError("it goes on")

    monkeypatch.setattr(stage_module, "supervise", supervise)
    monkeypatch.setattr(stage_module, "RENEWALS", 1e9)
    code, report = command(world, "stage", "prepare", "--run", "r1")
    assert (stopped, code, report["class"]) == ([0], 76, "claim_lost")
    assert report["message"] == "run r1 lost its claim: released by hand: its node is gone"
    assert command(world, "stage", "prepare", "--run", "r1")[0] == 99
    assert command(world, "finish", "--run", "r1")[0] == 0
    last = Operations(world.objects).chain.entries()[-1].body
    assert (last["stage"], last["message"]) == ("release", "released by hand: its node is gone")


def test_a_withdrawal_stops_the_training_that_uses_it(
    registered: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = registered
    register(Operations(world.objects), "extra")
    assert command(world, "plan", "--run", "r1", "--acquisitions", "first")[0] == 0
    assert command(world, "status")[0] == 0
    assert "run r1 of chosen acquisitions (first) holds the claim" in capsys.readouterr().out
    withdraw(["withdraw", "first", "--reason", "clouds"])
    assert "run r1 trains with it" in capsys.readouterr().out
    code, report = command(world, "stage", "prepare", "--run", "r1")
    assert (code, report["message"]) == (
        99,
        "run r1 lost its claim: first, which it trains with, was withdrawn: clouds",
    )
    code, report = command(world, "plan", "--run", "r2", "--acquisitions", "first")
    assert (code, report["message"]) == (
        78,
        "first cannot be trained with: it was withdrawn: clouds",
    )
    assert command(world, "plan", "--dry-run", "--acquisitions", "third")[0] == 78


def test_what_is_no_claim_is_not_given_up(registered: World) -> None:
    world = registered
    code, report = command(world, "release", "--run", "r9", "--reason", "x")
    assert (code, report["next_step"]) == (66, "at work are: none")
    assert plan(world.environment(), "r1") == 0
    code, report = command(world, "release", "--run", "r1", "--reason", " ")
    assert code == 78
    assert command(world, "release", "--run", "r1", "--reason", "x")[0] == 0
    code, report = command(world, "release", "--run", "r1", "--reason", "again")
    assert (code, "holds no claim any more" in report["message"]) == (99, True)
    assert len(Operations(world.objects).chain.entries()) == 3


def test_wrong_names_of_runs_and_stages_are_told_by_what_they_are(registered: World) -> None:
    """Neither the key of an object nor a step of the pipeline is what a person mistyped."""
    world = registered
    for words in (("gate",), ("stage", "prepare")):
        code, report = command(world, *words, "--run", "nobody")
        assert (code, "run nobody was never planned" in report["message"]) == (66, True)
        assert "plan --run nobody" in report["next_step"]
    assert plan(world.environment(), "r1") == 0
    code, report = command(world, "stage", "../prepare", "--run", "r1")
    assert (code, "has no stage '../prepare'" in report["message"]) == (78, True)
    code, report = command(world, "gate", "--run", "r1")
    assert (code, "run r1 has no result yet" in report["message"]) == (66, True)
    assert release(world.environment(), "r1", "its node is gone") == 0
    code, report = command(world, "gate", "--run", "r1")
    assert (code, "released by hand: its node is gone" in report["message"]) == (66, True)
