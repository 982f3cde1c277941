"""The stage on a tiny store and a local MLflow, the fresh process replaced by this one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError, ChampionChangedError, MissingInputError
from components.contract.hashing import sha256_bytes
from components.contract.parameters import read_sections
from components.housekeeping.verify import verify as verify_objects
from components.lib.objects.opening import open_objects
from components.lib.registry.artefact import register
from components.lib.registry.ledger import open_ledgers
from components.lib.registry.loading import load_champion
from components.lib.tracking.connection import connect
from components.promote.buildings import PromotionSettings, decide_buildings
from components.promote.history import history, rollback, verify
from components.promote.reproduce import Reproduction
from components.promote.scores import CleanTestScores
from stormsight_dags.settings.load import load_settings
from tests.promote.change_world import write_change_model
from tests.promote.running import LEDGER, SAR, registry_of, run
from tests.promote.world import AIRBORNE, FINDS, SPACEBORNE, write_control, write_model


def test_first_equal_better_worse_and_rollback(stage: PromotionSettings) -> None:
    first = run(stage, 5.0)
    assert first["outcome"] == "promoted"
    assert first["decision"]["champion_version"] is None
    equal = run(stage, 4.0)  # other weights, the same map
    assert (equal["outcome"], equal["decision"]["version"]) == ("refused", "2")
    assert equal["decision"]["gain"]["value"] == 0.0
    assert registry_of(stage).current() == "1"
    better = run(stage, FINDS)
    assert better["outcome"] == "promoted"
    assert better["decision"]["test"]["bound"] > 0.1
    assert registry_of(stage).current() == "3"
    worse = run(stage, 3.0)
    assert worse["outcome"] == "refused"
    assert worse["decision"]["gain"]["value"] < -0.1
    itself = run(stage, FINDS)
    assert (itself["outcome"], itself["decision"]["version"]) == ("refused", "3")
    assert "it is the champion itself" in itself["reasons"][0]

    connection, ledgers = connect(stage.tracking), open_ledgers(LEDGER)
    assert "version 1 is champion again instead of version 3" in rollback(connection, ledgers, SAR, "drill")
    assert registry_of(stage).current() == "1"
    told = history(connection, ledgers, (SAR, "stormsight-optical"))
    assert [row.split()[2] for row in told.splitlines() if "->" in row] == ["promote", "promote", "rollback"]
    assert "stormsight-optical: no champion yet" in told
    assert "drill" in told
    assert "ledger of 3 entries is whole" in verify(connection, ledgers, (SAR,), repair=False)
    with pytest.raises(MissingInputError, match="no earlier champion"):
        rollback(connection, ledgers, SAR, "again")
    assert load_champion(stage.tracking, SAR).config.sensors[0] == AIRBORNE


def test_a_retraining_after_a_repro_and_every_command_share_one_history(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path
) -> None:
    """``make repro``, then Airflow's local mode, then the commands, each from its own folder."""
    default = read_sections(repository / "params.yaml")["promote"]["ledger"]
    stage = replace(stage, parameters=stage.parameters.model_copy(update={"ledger": default}))
    assert run(stage, 5.0)["outcome"] == "promoted"

    here, workspace = Path.cwd(), tmp_path / "workspace"
    shutil.copytree(here, workspace, ignore=shutil.ignore_patterns("var"))
    with monkeypatch.context() as pod:
        local = load_settings({"STORMSIGHT_SOURCE": str(repository)})
        objects = Path(local.objects).relative_to(repository)
        pod.setenv("STORMSIGHT_OBJECTS", str(here / objects))
        pod.setenv("STORMSIGHT_TRAINING", "work/one")
        pod.chdir(workspace)
        assert run(stage, FINDS)["decision"]["champion_version"] == "1"

    connection, ledgers = connect(stage.tracking), open_ledgers(default)
    assert "champion is version 2" in history(connection, ledgers, (SAR,))
    assert "ledger of 2 entries is whole" in verify(connection, ledgers, (SAR,), repair=False)
    rollback(connection, ledgers, SAR, "drill")
    findings = {finding.subject: finding for finding in verify_objects(open_objects(str(objects)))}
    assert findings[f"ledger/champions/{SAR}"].state == "3 entries, unbroken"


def test_a_champion_deleted_in_mlflow_is_told_and_rolled_back(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    run(stage, FINDS)
    connection, ledgers = connect(stage.tracking), open_ledgers(LEDGER)
    connection.client.delete_model_version(SAR, "2")
    told = history(connection, ledgers, (SAR,))
    assert "the ledger's champion is version 2, which was deleted in MLflow; there is no alias" in told
    with pytest.raises(BadDataError, match="version 2, which was deleted in MLflow"):
        verify(connection, ledgers, (SAR,), repair=True)
    with pytest.raises(BadDataError, match="version 2, which was deleted in MLflow"):
        run(stage, 4.0)
    assert "version 1 is champion again instead of version 2" in rollback(connection, ledgers, SAR, "gone")
    assert "ledger of 3 entries is whole" in verify(connection, ledgers, (SAR,), repair=False)


def test_the_record_says_what_it_rests_on_and_the_ledger_points_to_it(stage: PromotionSettings) -> None:
    part = run(stage, FINDS)
    document = json.loads((stage.out / "decision.json").read_text())
    assert document["models"][SAR] == part
    assert document["simulated"] is True
    decision = part["decision"]
    assert set(decision["sha256"]) == {"params", "data", "code", "verdict", "weights", "scores"}
    assert all(len(value) == 64 for value in decision["sha256"].values())
    (entry,) = registry_of(stage).ledger.entries()
    assert entry.change.decision == part["decision_sha256"]
    assert part["ledger"] == {"seq": 1, "hash": entry.hash, "time": entry.time}

    client = connect(stage.tracking).client
    version = client.get_model_version(SAR, "1")
    assert version.tags["sha256"] == decision["sha256"]["weights"]
    assert version.tags["params_sha256"] == decision["sha256"]["params"]
    assert (version.tags["outcome"], version.tags["simulated"]) == ("promoted", "true")
    assert version.tags["bands"] == "simulated-airborne: HH, HV, VH, VV; simulated-spaceborne: HH, HV, HV, HH"
    assert version.description
    assert version.run_id
    assert version.tags["method"] in version.description
    assert version.tags["decision_sha256"] in version.description
    files = [file.path for file in client.list_artifacts(version.run_id, "model")]
    assert "model/MLmodel" in files
    kept = next(Path(stage.tracking.artifacts).rglob("decisions/*.json"))
    assert sha256_bytes(kept.read_bytes()) == kept.stem == entry.change.decision

    text = (stage.out / "decision.txt").read_text()
    assert text.startswith("SIMULATED")
    assert "stormsight-sar: version 1 PROMOTED (there was no champion)" in text
    assert "because there was no champion and every check passed" in text
    for value in (*decision["sha256"].values(), entry.hash, part["decision_sha256"]):
        assert value in text


def test_a_refusal_is_readable_and_leaves_the_ledger_alone(stage: PromotionSettings) -> None:
    run(stage, FINDS)
    part = run(stage, 5.0)
    text = (stage.out / "decision.txt").read_text()
    assert "version 2 REFUSED (the champion was version 1)" in text
    assert "FAIL  gain:" in text
    assert f"FAIL  sensor/{AIRBORNE}" in text
    assert "error budget: challenger 1 of this line, tested at level 0.05; 0.05 of 0.1 remains" in text
    assert "is found with 80% power" in text
    assert part["ledger"] is None
    assert len(registry_of(stage).ledger.entries()) == 1
    assert connect(stage.tracking).client.get_model_version(SAR, "2").tags["outcome"] == "refused"


def test_every_judged_challenger_spends_of_the_error_budget_once(stage: PromotionSettings) -> None:
    def spent(part: dict[str, Any], number: int | None, level: float) -> None:
        test = part["decision"]["test"]
        assert test["number"] == number
        assert test["level"] == pytest.approx(level)

    assert run(stage, 5.0)["decision"]["test"] is None, "a first model has no champion to beat"
    spent(run(stage, 4.0), 1, 0.1 / 2)
    spent(run(stage, 3.0), 2, 0.1 / 6)
    spent(run(stage, 4.0), 1, 0.1 / 2)  # the same version, judged again
    spent(run(stage, 5.0), None, 0.1 / 2)  # the champion itself
    spent(run(stage, 2.0), 3, 0.1 / 12)
    tags = {str(v.version): v.tags.get("judgement") for v in _versions(stage)}
    assert tags == {"1": None, "2": "1", "3": "2", "4": "3"}


def _versions(stage: PromotionSettings) -> list[Any]:
    return list(connect(stage.tracking).client.search_model_versions(f"name='{SAR}'"))


def test_a_sensor_that_the_champion_lacks_is_scored_with_the_unadapted_champion(
    stage: PromotionSettings,
) -> None:
    run(stage, 5.0, sensors=(AIRBORNE,))
    part = run(stage, FINDS)
    values = part["decision"]["by_sensor"][SPACEBORNE]
    assert part["outcome"] == "promoted"
    assert values["champion"]["value"] == pytest.approx(0.140625)
    assert values["gain_over_unadapted"]["value"] > 0.3
    assert part["decision"]["sensors"] == [AIRBORNE, SPACEBORNE]
    text = (stage.out / "decision.txt").read_text()
    assert f"on {SPACEBORNE} alone:" in text
    assert "(unadapted)" in text


def test_the_control_is_compared_named_and_needed(stage: PromotionSettings) -> None:
    write_control(FINDS)
    part = run(stage, 5.0)
    assert part["outcome"] == "refused"
    assert "the gain over the SAR-only control on simulated-airborne is -" in part["reasons"][0]
    assert part["decision"]["control"]["model"] == "models/sar/none"
    assert part["decision"]["control"]["gain"]["value"] < -0.3
    assert part["decision"]["method"] == "concord"
    assert (
        "method concord; its control is models/sar/none; simulated"
        in (stage.out / "decision.txt").read_text()
    )
    own = run(stage, 4.0, start_from="none")
    assert (own["outcome"], own["decision"]["method"]) == ("promoted", "none")
    assert own["decision"]["control"]["gain"] is None
    shutil.rmtree("models/sar/none")
    with pytest.raises(MissingInputError, match="models/sar/none"):
        run(stage, FINDS)


def test_the_headline_has_a_few_numbers(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    first = json.loads((stage.out / "metrics.json").read_text())
    assert first == {"iou": 0.1406, "promoted": 1}
    run(stage, FINDS)
    numbers = json.loads((stage.out / "metrics.json").read_text())
    assert numbers["iou"] > first["iou"]
    assert numbers["promoted"] == 1


def test_a_bad_verdict_refuses_even_the_first_model(stage: PromotionSettings) -> None:
    stage.verdict.write_text(json.dumps({"verdict": "bad", "tiles": 10, "quarantined": 9}))
    part = run(stage, FINDS)
    assert part["outcome"] == "refused"
    assert "the data verdict is 'bad' (9 of 10 tiles quarantined)" in part["reasons"][0]
    assert registry_of(stage).current() is None


def test_weights_that_do_not_fit_their_signature_are_never_registered(stage: PromotionSettings) -> None:
    folder = write_model(Path("models/adapted"), 5.0)
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(BadDataError, match="SHA-256"):
        decide_buildings(stage, (SAR,))
    assert registry_of(stage).current() is None
    assert not (stage.out / "decision.json").exists()


def test_an_artefact_store_that_returns_other_bytes_refuses(stage: PromotionSettings) -> None:
    run(stage, 5.0)

    def tampering(folder: Path, expected: CleanTestScores, device: str) -> Reproduction:
        raise AssertionError("never asked: the hashes differ before anything is loaded")

    write_model(Path("models/adapted"), FINDS)
    connection = connect(stage.tracking)
    decide_buildings(replace(stage, reproducer=lambda *_: Reproduction(False, "not yet")), (SAR,))
    for weights in Path(stage.tracking.artifacts).rglob("weights.safetensors"):
        if str(connection.client.get_model_version(SAR, "2").run_id) in str(weights):
            weights.write_bytes(b"other")
    part = decide_buildings(replace(stage, reproducer=tampering), (SAR,))["models"][SAR]
    assert part["outcome"] == "refused"
    assert "weights.safetensors is not the file that was registered" in part["reasons"][0]
    assert registry_of(stage).current() == "1"


def test_a_champion_whose_bytes_changed_stops_the_stage(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    for weights in Path(stage.tracking.artifacts).rglob("weights.safetensors"):
        weights.write_bytes(b"other")
    with pytest.raises(BadDataError, match=r"stormsight-sar version 1: weights.safetensors is not the file"):
        run(stage, FINDS)
    with pytest.raises(BadDataError, match="is not the file"):
        verify(connect(stage.tracking), open_ledgers(LEDGER), (SAR,), repair=False)


def test_a_champion_of_another_version_of_the_code_is_named_with_a_way_on(stage: PromotionSettings) -> None:
    write_model(Path("models/adapted"), 5.0)
    signature = json.loads(Path("models/adapted/model.json").read_text())
    former = Path("former")
    shutil.copytree("models/adapted", former)
    (former / "model.json").write_text(json.dumps({**signature, "format": 1}))
    version = register(connect(stage.tracking), SAR, former, tags={})
    registry_of(stage).promote(version, decided_against=None, decision="d" * 64, reason="by the former code")
    with pytest.raises(BadDataError, match=r"stormsight-sar version 1: model .* has format '1'") as caught:
        run(stage, FINDS)
    assert "delete these versions in MLflow and roll back" in caught.value.next_step
    connection, ledgers = connect(stage.tracking), open_ledgers(LEDGER)
    connection.client.delete_model_version(SAR, version)
    assert "there is no champion now" in rollback(connection, ledgers, SAR, "too old")
    assert run(stage, FINDS)["outcome"] == "promoted"
    assert "ledger of 3 entries is whole" in verify(connection, ledgers, (SAR,), repair=False)


def test_a_champion_that_changes_during_the_judgement_is_faced_anew(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    run(stage, 4.0)
    (stage.out / "decision.json").unlink()  # DVC removes outputs before it runs a stage

    def meanwhile(folder: Path, expected: CleanTestScores, device: str) -> Reproduction:
        registry_of(stage).promote(
            "2", decided_against="1", decision="d" * 64, reason="another process was faster"
        )
        return Reproduction(True, "fine")

    with pytest.raises(ChampionChangedError, match="against version 1, but the champion is version 2"):
        run(replace(stage, reproducer=meanwhile), FINDS)
    assert not (stage.out / "decision.json").exists(), "nothing was decided"
    assert registry_of(stage).current() == "2"
    registry_of(stage).require_agreement()
    again = run(stage, FINDS)
    assert (again["outcome"], again["decision"]["champion_version"]) == ("promoted", "2")


def test_a_rollback_during_the_judgement_is_no_refusal(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    assert run(stage, FINDS)["outcome"] == "promoted"
    (stage.out / "decision.json").unlink()

    def meanwhile(folder: Path, expected: CleanTestScores, device: str) -> Reproduction:
        registry_of(stage).rollback("misses barns")
        return Reproduction(True, "fine")

    with pytest.raises(ChampionChangedError, match="against version 2, but the champion is version 1"):
        run(replace(stage, reproducer=meanwhile), 4.0)
    assert not (stage.out / "decision.json").exists(), "nothing was decided"
    assert run(stage, 4.0)["decision"]["champion_version"] == "1"


def test_a_change_model_is_no_building_model(stage: PromotionSettings) -> None:
    write_change_model("sgsln", 5.0, folder=Path("models/adapted"))
    with pytest.raises(BadDataError, match="models/adapted: its change network compares two dates"):
        decide_buildings(stage, (SAR,))
    assert connect(stage.tracking).client.search_registered_models() == []


def test_missing_inputs_name_the_stage_that_makes_them(stage: PromotionSettings) -> None:
    with pytest.raises(MissingInputError, match=r"models/adapted.*is missing"):
        decide_buildings(stage, (SAR,))
    write_model(Path("models/adapted"), 5.0)
    stage.verdict.unlink()
    with pytest.raises(MissingInputError) as caught:
        decide_buildings(stage, (SAR,))
    assert "dvc repro verdict" in str(caught.value)


def test_a_tampered_ledger_stops_the_stage_before_anything_is_judged(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    ledger = Path(LEDGER, SAR, "000000001.json")
    ledger.write_text(ledger.read_text().replace('"version":"1"', '"version":"2"'))
    with pytest.raises(BadDataError, match="its hash does not fit"):
        run(stage, FINDS)
    with pytest.raises(BadDataError, match="its hash does not fit"):
        verify(connect(stage.tracking), open_ledgers(LEDGER), (SAR,), repair=True)


def test_a_model_of_the_other_modality_is_never_registered(stage: PromotionSettings) -> None:
    write_model(Path("models/optical/deeplabv3plus"), 5.0)
    with pytest.raises(BadDataError, match=r"optical/deeplabv3plus: .* reads sar .* reads optical belongs"):
        decide_buildings(stage, ("stormsight-optical",))
    assert connect(stage.tracking).client.search_model_versions("name='stormsight-optical'") == []


@pytest.mark.parametrize(("tag", "value"), [("modality", "radar"), ("sensors", "nobody"), ("sensors", "")])
def test_a_tag_that_was_edited_is_named_with_its_version(
    stage: PromotionSettings, tag: str, value: str
) -> None:
    run(stage, 5.0)
    connect(stage.tracking).client.set_model_version_tag(SAR, "1", tag, value)
    with pytest.raises(BadDataError, match=f"{SAR} version 1: its tag '{tag}' is '{value}'"):
        run(stage, 5.0)
