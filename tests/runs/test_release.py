"""A claim that nobody works on is given up by hand, and the ledger says by whom and why."""

from __future__ import annotations

from datetime import timedelta

import pytest

from components.lib.operations.operations import Operations
from components.runs.plan import plan
from tests.runs.pipeline import World
from tests.runs.test_redrive import registered
from tests.runs.test_stages import command

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
