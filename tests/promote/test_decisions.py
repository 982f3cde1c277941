"""Decisions kept until they are carried out and reported."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import pytest

from components.contract.errors import ChampionChangedError
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.tracking.connection import connect
from components.promote.buildings import PromotionSettings
from components.promote.decisions import LOCAL, SavedDecisions
from tests.promote.running import LEDGER, SAR, registry_of, run
from tests.promote.world import FINDS


def test_a_repeated_attempt_of_one_training_carries_out_the_same_decision(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The alias moves, the process dies before its record is kept: the next attempt finds it promoted."""
    monkeypatch.setenv("STORMSIGHT_TRAINING", "work/one")
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(tmp_path / "objects"))

    with monkeypatch.context() as dying:
        dying.setattr("components.promote.decide.write_json", killed)
        with pytest.raises(KeyboardInterrupt):
            run(stage, FINDS)
    champions = ChampionRegistry(connect(stage.tracking), open_ledgers(LEDGER), SAR)
    (entry,) = champions.ledger.entries()
    again = run(stage, FINDS)
    assert (again["outcome"], again["ledger"]["hash"]) == ("promoted", entry.hash)
    assert run(stage, FINDS) == again
    assert champions.ledger.entries() == [entry]
    # Another training judges anew, and an equal model is refused as ever.
    monkeypatch.setenv("STORMSIGHT_TRAINING", "work/two")
    assert run(stage, FINDS)["outcome"] == "refused"


def killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("at", ["_apply", "write_json", "text_of"])
def test_a_run_by_hand_that_was_killed_reports_the_same_decision_when_repeated(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    run(stage, 5.0)
    with monkeypatch.context() as dying:
        dying.setattr(f"components.promote.decide.{at}", killed)
        with pytest.raises(KeyboardInterrupt):
            run(stage, FINDS)
    again = run(stage, FINDS)
    assert (again["outcome"], again["decision"]["champion_version"]) == ("promoted", "1")
    assert [entry.hash for entry in registry_of(stage).ledger.entries()][1:] == [again["ledger"]["hash"]]
    assert run(stage, FINDS)["outcome"] == "refused", "asked again by hand, it is judged against itself"


def test_a_report_that_dvc_removed_before_it_took_note_is_made_again(stage: PromotionSettings) -> None:
    first = run(stage, FINDS)
    shutil.rmtree(stage.out)
    assert run(stage, FINDS) == first
    assert len(registry_of(stage).ledger.entries()) == 1
    shutil.rmtree(stage.out)
    run(stage, 5.0)
    assert run(stage, FINDS)["outcome"] == "refused", "another attempt was between them"


@pytest.mark.parametrize("content", [b"", b"null", b"[" * 5000])
def test_damaged_decisions_of_an_earlier_run_are_made_anew(stage: PromotionSettings, content: bytes) -> None:
    LOCAL.parent.mkdir(parents=True)
    LOCAL.write_bytes(content)
    assert run(stage, FINDS)["outcome"] == "promoted"


def test_a_decision_that_came_too_late_is_made_anew_next_time(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(tmp_path / "objects"))
    run(stage, 5.0)
    monkeypatch.setenv("STORMSIGHT_TRAINING", "work/late")

    def overtaken(registry: ChampionRegistry, *_: object, **__: object) -> None:
        raise ChampionChangedError("the champion is version 7 by now", next_step="judge again")

    with monkeypatch.context() as racing:
        racing.setattr(ChampionRegistry, "promote", overtaken)
        with pytest.raises(ChampionChangedError):
            run(stage, FINDS)
    assert run(stage, FINDS)["outcome"] == "promoted"


@pytest.mark.parametrize("training", ["work/two-models", None])
def test_what_was_decided_on_another_model_stands(
    training: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A teacher that was promoted would be judged against itself, and refused."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(tmp_path / "objects"))
    if training is not None:
        monkeypatch.setenv("STORMSIGHT_TRAINING", training)
    monkeypatch.setattr(SavedDecisions, "_stands", lambda *_: True)
    judged: list[str] = []

    def judge(model: str) -> dict[str, Any]:
        judged.append(model)
        return {"outcome": "promoted", "number": len(judged)}

    registries = cast("Any", {"optical": None, "sar": None})

    def attempt() -> SavedDecisions:
        return SavedDecisions({}, registries, tmp_path / "metrics.json")

    first = attempt().load_or_save(judge)
    attempt().keep_only({"optical": first["optical"]})
    second = attempt().load_or_save(judge)
    assert judged == ["optical", "sar", "sar"]
    assert second["optical"] == first["optical"]
    assert second["sar"]["number"] == 3
    assert attempt().load_or_save(judge) == second, "and so it stays"
