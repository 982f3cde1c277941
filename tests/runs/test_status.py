"""One page answers the questions of a person on duty, whatever source is broken."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.contract.errors import SourceUnavailableError
from components.contract.hashing import seal, sha256_json
from components.contract.keys import CHAMPIONS, run_record_key, stage_record_key
from components.lib.objects.opening import open_objects
from components.lib.operations.events import Claimed, Succeeded
from components.lib.operations.operations import Operations
from components.lib.operations.records import FailureRecord
from components.lib.operations.state import Claim
from components.lib.registry.artefact import CHAMPION
from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import ChampionLedgers
from components.lib.tracking import connection
from components.lib.tracking.connection import connect
from components.runs.environment import Environment
from components.runs.finish import finish
from components.runs.plan import plan
from components.runs.status.last_run import _outcome
from components.runs.status.page import json_of, read_status, text_of
from tests.lib.registry.models import MODEL, register_version
from tests.lib.tracking.local_store import local_store
from tests.runs.pipeline import World, command
from tests.runs.test_redrive import fail, registered

__all__ = ["registered"]

DECISION = {
    "method": "concord",
    "metric": "iou",
    "challenger": {"value": 0.612, "low": 0.58, "high": 0.64},
    "simulated": True,
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow that does not answer is not asked again."""
    monkeypatch.setitem(connection._PATIENCE, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def page(environment: Environment) -> str:
    return text_of(read_status(environment), environment)


def lines(environment: Environment, section: str) -> list[str]:
    found = next(part for part in read_status(environment) if part.title == section)
    return [finding.text for finding in found.findings]


def test_the_last_run_its_cost_its_quarantine_and_its_pages(
    trained: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world = trained
    assert finish(world.environment(), "r1") == 0
    assert command(world, "status")[0] == 0, "MLflow does not answer, and the rest is told"
    shown = capsys.readouterr().out
    for words in (
        "run r1 succeeded: promoted (stormsight-sar promoted)",
        "0.00 GPU hours by what dvc.yaml asks for",
        "distill (2 parts)",
        "registry/train@sha256:0",
        "1 quarantined tiles; by rule: all_zero 1",
        "committed: tile-7 SAR: all_zero: share of zeros is 1",
        "reports/evaluate/report/index.html",
        "its map: reports/evaluate/report/tiles/map.html",
        "python -m components.runs report r1",
        "could not be read: MLflow at http",
        "nothing waits for approval",
        "no delivery is rejected",
    ):
        assert words in shown
    assert command(world, "status", "--json")[0] == 0
    parsed = json.loads(capsys.readouterr().out)
    assert [part["title"] for part in parsed["sections"]][:2] == ["Champions", "Waits for a person"]
    assert {"text", "source", "next_step", "read"} == set(parsed["sections"][0]["findings"][0])


def test_the_last_run_names_the_outcome_of_every_model(tmp_path: Path) -> None:
    objects, key = open_objects(str(tmp_path)), "0" * 64
    claimed = Claimed(key=key, run="r1", acquisitions_sha256=key, code=key, params=key)
    outcome = Succeeded(key=key, run="r1", record_sha256=key, promoted=False)
    claim = Claim(claimed, datetime.now(UTC), outcome)
    assert _outcome(objects, claim) == "run r1 succeeded: not promoted", "its record was pruned"
    parts = {"stormsight-sar": "refused", "stormsight-change": "promoted"}
    models = {model: {"outcome": found, "reasons": []} for model, found in parts.items()}
    objects.put(run_record_key(key), seal({"decision": {"models": models}}))
    words = "not promoted (stormsight-change promoted, stormsight-sar refused)"
    assert _outcome(objects, claim) == f"run r1 succeeded: {words}"


def test_gpu_hours_are_those_of_the_graph(trained: World) -> None:
    path = trained.source / "dvc.yaml"
    path.write_text(path.read_text().replace("gpu: 0", "gpu: 2"))
    records = trained.records("r1")
    long = replace(
        records.stages()["evaluate"],
        started="2026-11-01T00:00:00.000+00:00",
        ended="2026-11-01T03:30:00.000+00:00",
    )
    trained.objects.put(stage_record_key(records.key, "evaluate"), seal(asdict(long)))
    assert finish_as_recorded(trained)
    found = lines(trained.environment(), "Last run and its cost")
    assert "evaluate: 3.50 h, 7.00 GPU hours, image registry/train@sha256:0" in found
    assert "3.5" in found[1]
    assert "unknown" not in found[1]
    path.write_text("stages: {}")
    assert "GPUs unknown of" in lines(trained.environment(), "Last run and its cost")[1]


def finish_as_recorded(world: World) -> bool:
    """Write the outcome of r1 without looking at the code, which a test changed."""
    operations = Operations(world.objects)
    return operations.succeeded("r1", record_sha256="0" * 64, promoted=False) is not None


def test_champion_with_method_score_actor_and_reason(
    trained: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    tracking = local_store(tmp_path / "mlflow")
    environment = trained.environment(
        MLFLOW_TRACKING_URI=tracking.uri, STORMSIGHT_ARTIFACTS=tracking.artifacts
    )
    monkeypatch.setenv("STORMSIGHT_ACTOR", "ada")
    registry = ChampionRegistry(connect(tracking), ChampionLedgers(trained.objects, CHAMPIONS), MODEL)
    for content in ("one", "two"):
        register_version(registry.connection, tmp_path / "models", content)
    digest = sha256_json(DECISION)
    registry.promote("1", decided_against=None, decision=digest, reason="it sees barns")
    assert finish_as_recorded(trained)
    document = {"models": {MODEL: {"outcome": "promoted", "decision_sha256": digest, "decision": DECISION}}}
    key = trained.records("r1").key
    trained.objects.put(run_record_key(key), seal({"run": "r1", "decision": document}))
    text = "\n".join(lines(environment, "Champions"))
    for words in (
        f"{MODEL}: version 1 since 20",
        "promoted by ada: it sees barns",
        "method concord, iou 0.612 (0.580 to 0.640) (simulated); run r1",
        f"{MODEL}: MLflow's alias is the ledger's champion",
        "stormsight-optical: no champion yet",
    ):
        assert words in text
    registry.connection.client.set_registered_model_alias(MODEL, CHAMPION, "2")
    trained.objects.delete(run_record_key(key))
    text = page(environment)
    assert "the ledger's champion is version 1, the alias points to version 2" in text
    assert "promote restore-alias" in text
    assert f"{MODEL}: version 1: no kept training has the decision" in text
    assert "could not be read: stormsight-sar: no kept" not in text
    ChampionLedgers(trained.objects, CHAMPIONS).approvals(MODEL).request(
        version="2", decided_against="1", decision="e" * 64, reason="it sees more barns"
    )
    assert "version 2 waits for approval since" in page(environment)


def test_what_is_at_work_stuck_barred_failed(registered: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world = registered
    assert lines(world.environment(), "Next training") == [
        lines(world.environment(), "Next training")[0],
        "registered acquisitions: 1; in no finished training: 1 (first)",
        "no run is at work",
    ]
    fail(world, "r1", monkeypatch, "bad_data")
    text = page(world.environment())
    for words in (
        ": barred: this set failed for good in run r1",
        "last failure of prepare: bad_data",
        "--force",
    ):
        assert words in text
    assert plan(world.environment(), "r2", force=True) == 0
    assert "run r2 holds the claim of set" in page(world.environment())
    world.edit_params(orchestration={"lease_h": 1e-9})
    text = page(world.environment())
    assert "silent for longer than its lease, so stuck" in text


def test_a_damaged_record_is_a_line_and_the_rest_is_told(trained: World) -> None:
    assert finish(trained.environment(), "r1") == 0
    key = f"{trained.records('r1').prefix}/stages/evaluate.json"
    trained.objects.put(key, b"torn")
    trained.objects.put("rejected/a.json", b"torn")
    rejection = {
        "id": "delivery",
        "object_key": "x",
        "message": "a.tif has a wrong hash",
        "next_step": "again",
    }
    trained.objects.put("rejected/b.json", seal(rejection))
    text = page(trained.environment())
    assert "evaluate.json is damaged" in text
    assert "delivery: a.tif has a wrong hash" in text
    assert "rejected/a.json is damaged" in text
    assert "set " in text
    assert "this set is trained" in text


def test_a_broken_ledger_hides_neither_rejections_nor_champions(trained: World) -> None:
    trained.objects.put("ledger/operations/000000001.json", b"torn")
    sections = {part.title: part.findings for part in read_status(trained.environment())}
    assert not any(finding.read for finding in sections["Next training"])
    assert any(finding.read for finding in sections["Champions"])
    assert json.loads(json_of(read_status(trained.environment()), trained.environment()))


def test_nothing_readable_is_a_failure(trained: World) -> None:
    environment = trained.environment(
        STORMSIGHT_OBJECTS="gopher://nowhere", STORMSIGHT_REMOTE="gopher://nowhere"
    )
    with pytest.raises(SourceUnavailableError, match="nothing could be read"):
        read_status(environment)


def test_tiles_of_a_set_that_the_verdict_refused_are_told(
    trained: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod keeps no list of a bad set: the failure's message is what is left, whole."""
    message = "verdict: the set is bad: share is 0.9; quarantined tiles by rule: size 9, such as a: tile-1"
    place = next(info.key for info in trained.objects.list("work/") if "/stages/" in info.key)
    key = place.split("/")[1]
    for info in trained.objects.list(f"work/{key}/stages/"):
        trained.objects.delete(info.key)
    failure = FailureRecord(
        stage="verdict",
        run="r1",
        key=key,
        failure_class="bad_data",
        exit_code=65,
        message=message,
        next_step="correct what is named",
        image="local",
        time="2026-11-01T00:00:00.000+00:00",
    )
    trained.objects.put(f"work/{key}/failures/verdict-1.json", seal(asdict(failure)))
    assert lines(trained.environment(), "Quarantined tiles") == [
        "run r1 has no list: verdict failed",
        *message.split("; "),
    ]


def test_what_cannot_be_read_is_told_once_and_lines_fit_a_terminal(trained: World) -> None:
    trained.objects.put("ledger/operations/000000001.json", b"torn")
    environment = trained.environment()
    sections = read_status(environment)
    text = text_of(sections, environment, width=80)
    assert " ".join(text.split()).count("entry 1: it is not an entry") == 1
    assert "could not be read, as above" in text
    words = {word for line in text.splitlines() if len(line) > 80 for word in line.split() if len(word) < 50}
    assert words <= {"sources", "are", "keys", "in", "remote", "is"}, "only paths and commands are longer"
    assert text_of(sections, environment).count("\n") < text.count("\n")


def test_an_acquisition_that_was_registered_by_hand_says_what_starts_its_training(registered: World) -> None:
    text = page(registered.environment())
    assert "no run has claimed this set yet" in text
    assert "start one" in text.partition("no run has claimed")[2]
