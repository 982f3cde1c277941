"""The gate at the end of a run: what it says of each model, and what closes it."""

from __future__ import annotations

import pytest

from components.contract.errors import BadDataError
from components.contract.hashing import seal
from components.contract.keys import run_record_key
from components.lib.objects.sealed import unseal
from components.runs.finish import finish
from components.runs.gate import Decision, ModelOutcome, is_promoted, product_of
from components.runs.stage import run_stage
from tests.runs.pipeline import World, command


def test_a_refusal_closes_the_gate_and_says_why_of_each_model(
    trained: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = trained
    world.undo("promote")
    monkeypatch.setenv("OUTCOME", "refused")
    monkeypatch.setenv("OUTCOME_OF_CHANGE", "promoted")
    assert run_stage(world.environment(), "promote", "r1") == 0
    told = command(world, "finish", "--run", "r1")[1]["result"]
    outcomes = {"stormsight-change": "promoted", "stormsight-sar": "refused"}
    assert (told["promoted"], told["models"]) == (False, outcomes)
    code, report = command(world, "gate", "--run", "r1")
    assert (code, report["class"]) == (77, "gate_refused")
    assert report["next_step"].startswith("the champion of stormsight-sar stays")
    assert (
        "stormsight-change promoted: it finds sheds | stormsight-sar refused: the gain" in report["message"]
    )


def test_a_run_of_roads_is_judged_by_its_own_model() -> None:
    outcome = {"stormsight-roads-optical": "refused", "stormsight-roads-sar": "promoted"}
    decision = Decision(
        models={name: ModelOutcome(outcome=found, reasons=["why"]) for name, found in outcome.items()}  # type: ignore[arg-type]
    )
    assert product_of(decision) == "stormsight-roads-sar"
    assert is_promoted(decision)
    with pytest.raises(BadDataError, match="does not say whether stormsight-sar was promoted"):
        is_promoted(Decision(models={}))


def test_a_model_that_awaits_approval_is_neither_promoted_nor_refused(
    trained: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = trained
    world.undo("promote")
    monkeypatch.setenv("OUTCOME", "awaits approval")
    assert run_stage(world.environment(), "promote", "r1") == 0
    assert command(world, "finish", "--run", "r1")[1]["result"]["promoted"] is False
    code, report = command(world, "gate", "--run", "r1")
    assert (code, report["class"]) == (99, "nothing_to_do")
    assert "stormsight-sar awaits approval" in report["message"]
    assert "python -m components.promote approve" in report["next_step"]


def test_the_gate_is_closed_unless_record_and_ledger_agree(trained: World) -> None:
    world = trained
    assert command(world, "gate", "--run", "r1")[0] == 66
    finish(world.environment(), "r1")
    key = run_record_key(world.records("r1").key)
    record = unseal(world.objects.get(key))
    good = world.objects.get(key)
    world.objects.put(key, good.replace(b'"promoted"', b'"refused!"'))
    assert command(world, "gate", "--run", "r1")[0] == 65
    forged = {**record, "run": "another"}
    world.objects.put(key, seal(forged))
    code, report = command(world, "gate", "--run", "r1")
    assert code == 65
    assert "not the one that the ledger names" in report["message"]
    world.objects.put(key, good)
    code, report = command(world, "gate", "--run", "r1")
    assert (code, report["result"]["models"]) == (0, {"stormsight-sar": "promoted"})
    world.objects.delete(key)
    assert command(world, "gate", "--run", "r1")[0] == 66
