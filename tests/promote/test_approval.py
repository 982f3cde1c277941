"""Challengers that wait for a verdict: approved, rejected, overtaken, and killed between any two steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError, ChampionChangedError, MissingInputError
from components.contract.hashing import canonical_json, sha256_json
from components.lib.registry.artefact import register
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.promote.__main__ import main
from components.promote.approval import approve, reject
from components.promote.buildings import PromotionSettings
from components.promote.history import history
from components.promote.outcomes import require_promotion
from components.promote.promotion import ask_for_approval
from tests.conftest import ROOT
from tests.lib.registry.models import model_folder
from tests.promote.running import SAR, registry_of, run
from tests.promote.test_presentation import decision as presented
from tests.promote.world import AIRBORNE, FINDS


@pytest.fixture
def registry(tracking: TrackingParameters, tmp_path: Path) -> ChampionRegistry:
    """Champion of a local MLflow of the test's own, none yet."""
    return ChampionRegistry(connect(tracking), open_ledgers(str(tmp_path / "ledger/champions")), SAR)


def challenger(registry: ChampionRegistry, folder: Path, content: str) -> tuple[dict[str, Any], str]:
    """Register a version and keep a decision to promote it, as the stage does; record and its SHA-256."""
    version = register(
        registry.connection,
        SAR,
        model_folder(folder / content, content),
        tags={"modality": "sar", "sensors": AIRBORNE},
    )
    record = presented(outcome="promoted", version=version, champion_version=registry.current())
    digest = sha256_json(record)
    run_id = str(registry.connection.client.get_model_version(SAR, version).run_id)
    registry.connection.client.log_text(run_id, canonical_json(record).decode(), f"decisions/{digest}.json")
    return record, digest


def outcome_in_mlflow(registry: ChampionRegistry, version: str = "1") -> str:
    return str(registry.connection.client.get_model_version(SAR, version).tags["outcome"])


def test_the_alias_waits_until_a_person_says_yes(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORMSIGHT_ACTOR", "retrain r1 as stormsight-train")
    required = stage.parameters.model_copy(update={"approval": "required"})
    stage = replace(stage, parameters=required)
    part = run(stage, FINDS)
    assert (part["outcome"], part["ledger"]) == ("awaits approval", None)
    assert f"python -m components.promote approve --model {SAR}" in part["reasons"][-1]
    assert "version 1 AWAITS APPROVAL" in (stage.out / "decision.txt").read_text()
    require_promotion({"models": {SAR: part}}, stage.out)
    registry = registry_of(stage)
    assert (registry.current(), outcome_in_mlflow(registry)) == (None, "awaits approval")

    monkeypatch.setenv("STORMSIGHT_ACTOR", "ada")
    assert "version 1 is champion instead of none, approved by ada" in approve(registry, "looks right")
    assert (registry.current(), outcome_in_mlflow(registry)) == ("1", "promoted")
    (entry,) = registry.ledger.entries()
    assert (entry.change.actor, entry.change.decision) == ("ada", part["decision_sha256"])
    told = history(connect(stage.tracking), registry.ledgers, (SAR,))
    assert [line.split()[3] for line in told.splitlines() if "approval" in line] == ["requested", "approved"]
    assert "[retrain r1 as stormsight-train]" in told
    registry.require_agreement()


def test_a_rejected_challenger_stays_rejected(registry: ChampionRegistry, tmp_path: Path) -> None:
    record, digest = challenger(registry, tmp_path, "one")
    with pytest.raises(MissingInputError, match="no challenger waits"):
        approve(registry, "yes")
    assert ask_for_approval(registry, record, digest)[0] == "awaits approval"
    assert ask_for_approval(registry, record, digest)[0] == "awaits approval", "asked by a repeated attempt"
    assert "version 1 is rejected" in reject(registry, "the harbour is wrong")
    assert (registry.current(), outcome_in_mlflow(registry)) == (None, "refused")
    with pytest.raises(MissingInputError, match="no challenger waits"):
        approve(registry, "after all")
    outcome, reasons, entry = ask_for_approval(registry, record, digest)
    assert (outcome, "the harbour is wrong" in reasons[0], entry) == ("refused", True, None)


def test_an_approval_holds_for_the_champion_that_the_challenger_was_judged_against(
    registry: ChampionRegistry, tmp_path: Path
) -> None:
    ask_for_approval(registry, *challenger(registry, tmp_path, "one"))
    challenger(registry, tmp_path, "two")
    registry.promote("2", decided_against=None, decision="d" * 64, reason="somebody was faster")
    with pytest.raises(
        ChampionChangedError, match="judged against none, but the champion is version 2"
    ) as caught:
        approve(registry, "too late")
    assert "python -m components.promote" in caught.value.next_step
    assert "version 1 is rejected" in reject(registry, "it was too late")


def test_a_later_challenger_takes_the_place_of_one_that_waits(
    registry: ChampionRegistry, tmp_path: Path
) -> None:
    first = challenger(registry, tmp_path, "one")
    ask_for_approval(registry, *first)
    ask_for_approval(registry, *challenger(registry, tmp_path, "two"))
    assert "took its place" in ask_for_approval(registry, *first)[1][0]
    assert "version 2 is champion" in approve(registry, "the better one")
    with pytest.raises(MissingInputError, match="no challenger waits"):
        reject(registry, "too late")


def test_other_files_or_another_record_than_were_judged_are_not_approved(
    registry: ChampionRegistry, tracking: TrackingParameters, tmp_path: Path
) -> None:
    ask_for_approval(registry, *challenger(registry, tmp_path, "one"))
    artifacts = Path(tracking.artifacts)
    (weights,) = artifacts.rglob("weights.safetensors")
    weights.write_bytes(b"other")
    with pytest.raises(BadDataError, match="is not the file that was registered"):
        approve(registry, "unseen")
    weights.write_text("one")
    (record,) = artifacts.rglob("decisions/*.json")
    record.write_text(record.read_text().replace('"promoted"', '"refused"'))
    spoils: tuple[Callable[[], object], ...] = (dict, lambda: record.write_text("?"), record.unlink)
    for spoil in spoils:
        spoil()
        with pytest.raises(BadDataError, match="is not the decision that was made"):
            approve(registry, "unseen")
    assert registry.current() is None


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("by_stage", [False, True])
@pytest.mark.parametrize(
    "at",
    [
        "components.lib.registry.approvals.Approvals.decide",
        "components.lib.registry.champion.ChampionRegistry.promote",
        "components.lib.registry.champion.ChampionRegistry._carry_out",
        "components.promote.approval.present",
    ],
)
def test_an_approval_that_was_killed_is_completed(
    registry: ChampionRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: str,
    by_stage: bool,
) -> None:
    """By the same command, or by the stage that is run again; never half, and always by the one approver."""
    waits = challenger(registry, tmp_path, "one")
    ask_for_approval(registry, *waits)
    monkeypatch.setenv("STORMSIGHT_ACTOR", "ada")
    with monkeypatch.context() as dying:
        dying.setattr(at, killed)
        with pytest.raises(KeyboardInterrupt):
            approve(registry, "yes")
    if not at.endswith(".decide"):  # there nothing was written, and it still waits
        monkeypatch.setenv("STORMSIGHT_ACTOR", "grace")
    if by_stage:
        ask_for_approval(registry, *waits)
    approve(registry, "again")
    (entry,) = registry.require_agreement()
    assert (registry.current(), entry.change.actor) == ("1", "ada")
    assert outcome_in_mlflow(registry) == "promoted"


def test_a_rollback_names_the_person_and_sends_a_notice(
    registry: ChampionRegistry,
    tracking: TrackingParameters,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for content in ("one", "two"):
        record, digest = challenger(registry, tmp_path, content)
        registry.promote(
            record["version"], decided_against=registry.current(), decision=digest, reason="a test"
        )
    params = (ROOT / "params.yaml").read_text()
    params = params.replace("sqlite:///var/mlflow.db", tracking.uri).replace(
        "var/objects/ledger/champions", str(tmp_path / "ledger/champions")
    )
    (tmp_path / "params.yaml").write_text(params)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORMSIGHT_ACTOR", "ada")
    sent: list[dict[str, str]] = []
    monkeypatch.setattr("components.promote.__main__.send", sent.append)
    main(["rollback", "--model", SAR, "--reason", "misses barns"])
    assert registry.ledger.entries()[-1].change.actor == "ada"
    (notice,) = sent
    assert (notice["event"], notice["severity"], notice["actor"]) == ("rolled back", "info", "ada")
    assert "version 1 is champion again instead of version 2" in notice["message"]


def test_commands_on_champions_need_no_torch() -> None:
    """They run in the image that has none."""
    modules = ", ".join(
        f"components.promote.{name}" for name in ("__main__", "approval", "history", "publishing")
    )
    code = f"import {modules}, json, sys; print(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "torch" not in json.loads(done.stdout)


def test_promotions_by_hand_and_what_waits_are_told(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, str]] = []
    monkeypatch.setattr("components.promote.outcomes.send", sent.append)
    outcomes = {"a": "promoted", "b": "awaits approval", "c": "refused"}
    parts = {
        name: {"outcome": outcome, "reasons": ["why"], "decision": {"version": "7"}}
        for name, outcome in outcomes.items()
    }
    monkeypatch.setattr("components.promote.buildings.decide_buildings", lambda _: {"models": parts})
    main([])
    assert [(n["event"], n["message"]) for n in sent] == [
        ("promoted", "a: version 7: why"),
        ("awaits approval", "b: version 7: why"),
    ]
    monkeypatch.setenv("STORMSIGHT_TRAINING", "work/one")  # of a training's, the orchestrator tells
    main([])
    assert len(sent) == 2
