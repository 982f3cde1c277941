"""The gate on change models, on a tiny store of pairs and a local MLflow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.registry.ledger import open_ledgers
from components.lib.registry.served import CHANGE_MODEL
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.predict.models import resolve_model
from components.promote.change.decide import REPRODUCE, ChangePromotion, data_check, open_ground
from components.promote.history import history, rollback, verify
from tests.promote.change_world import (
    EVERYWHERE,
    RULES,
    SETTINGS,
    change_settings,
    judged,
    write_change_model,
    write_change_world,
)
from tests.promote.world import FINDS, PARAMETERS, write_model
from tests.stac import validate


@pytest.fixture
def gate(tmp_path: Path, tracking: TrackingParameters, monkeypatch: pytest.MonkeyPatch) -> ChangePromotion:
    """The gate in a folder with a tiny store of pairs; no model yet."""
    root = tmp_path / "checkout"
    write_change_world(root)
    monkeypatch.chdir(root)
    return change_settings(tracking)


def with_rules(gate: ChangePromotion, **changes: object) -> ChangePromotion:
    rules = RULES.model_copy(update=changes)
    return replace(gate, parameters=SETTINGS.model_copy(update={"change": rules}))


def test_first_equal_better_worse_and_rollback(gate: ChangePromotion) -> None:
    first = judged(gate, EVERYWHERE)
    assert (first["outcome"], first["decision"]["champion_version"]) == ("promoted", None)
    assert first["decision"]["method"] == "sgsln"
    assert first["decision"]["tiles"] == 6
    assert first["decision"]["sensors"] == ["tiny optical-to-optical"]
    assert first["decision"]["challenger"]["value"] == pytest.approx(144 / 1024)
    equal = judged(gate, EVERYWHERE - 1)
    assert (equal["outcome"], equal["decision"]["gain"]["value"]) == ("refused", 0.0)
    better = judged(gate, FINDS)
    assert better["outcome"] == "promoted"
    assert better["decision"]["test"]["bound"] > 0.1
    worse = judged(gate, EVERYWHERE - 2)
    assert worse["outcome"] == "refused"
    assert worse["decision"]["gain"]["value"] < -0.1
    assert "no slice is guarded" in next(
        c["words"] for c in worse["decision"]["checks"] if c["name"] == "guards"
    )
    assert "it is the champion itself" in judged(gate, FINDS)["reasons"][0]

    connection, ledgers = connect(gate.tracking), open_ledgers(PARAMETERS.ledger)
    told = rollback(connection, ledgers, CHANGE_MODEL, "drill")
    assert "version 1 is champion again instead of version 3" in told
    told = history(connection, ledgers, (CHANGE_MODEL,))
    assert [row.split()[2] for row in told.splitlines() if "->" in row] == ["promote", "promote", "rollback"]
    assert "ledger of 3 entries is whole" in verify(connection, ledgers, (CHANGE_MODEL,), repair=False)
    text = (gate.out / "sgsln/decision.txt").read_text()
    assert "iou on 6 test pairs of tiny optical-to-optical" in text
    assert text.startswith("SIMULATED")


def test_mlflow_and_the_catalogue_describe_both_inputs(gate: ChangePromotion) -> None:
    judged(gate, EVERYWHERE)
    client = connect(gate.tracking).client
    version = client.get_model_version(CHANGE_MODEL, "1")
    assert version.tags["bands"] == "before: optical R, G, B; after: optical R, G, B"
    assert version.description is not None
    assert "| test pairs of | iou |" in version.description
    assert "reports/promote_change/sgsln/decision.txt" in version.description
    assert "two images" in client.get_registered_model(CHANGE_MODEL).description

    item = json.loads(Path(f"var/objects/maps/models/{CHANGE_MODEL}/1/item.json").read_text())
    assert validate(item) == []
    properties = item["properties"]
    assert [(read["name"], read["bands"]) for read in properties["mlm:input"]] == [
        ("before", ["R", "G", "B"]),
        ("after", ["R", "G", "B"]),
    ]
    assert properties["mlm:architecture"] == "sgsln"
    assert properties["stormsight:metrics"]["ground"] == "test pairs"
    assert properties["stormsight:training_data"]["acquisitions"] == ["tiny"]
    with pytest.raises(BadDataError, match="its network compares two dates"):
        resolve_model(f"var/objects/maps/models/{CHANGE_MODEL}/1/item.json")


def test_a_fresh_process_reproduces_the_scores(gate: ChangePromotion) -> None:
    part = judged(replace(gate, reproducer=REPRODUCE), EVERYWHERE)
    (check,) = (c for c in part["decision"]["checks"] if c["name"] == "reproduction")
    assert check["passed"], check["words"]
    assert "all counts of 6 tiles exactly" in check["words"]


def test_a_challenger_must_beat_its_control(gate: ChangePromotion) -> None:
    gate = with_rules(gate, control="siamese_unet")
    write_change_model("sgsln", EVERYWHERE)
    with pytest.raises(MissingInputError, match=r"models/change/siamese_unet.*is missing"):
        judged(gate)
    write_change_model("siamese_unet", EVERYWHERE)
    part = judged(gate)
    assert part["outcome"] == "refused"
    assert (
        "the gain over the control siamese_unet on tiny optical-to-optical is +0.0000" in part["reasons"][0]
    )
    assert judged(gate, FINDS)["outcome"] == "promoted"


def test_the_control_itself_is_not_compared_with_itself(gate: ChangePromotion) -> None:
    gate = replace(with_rules(gate, control="siamese_unet"), method="siamese_unet")
    part = judged(gate, EVERYWHERE)
    assert part["outcome"] == "promoted"
    assert part["decision"]["control"]["gain"] is None


def test_a_tampered_bundle_is_never_registered(gate: ChangePromotion) -> None:
    weights = write_change_model("sgsln", EVERYWHERE) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(BadDataError, match=r"models/change/sgsln: weights.safetensors does not have the SHA"):
        judged(gate)
    assert connect(gate.tracking).client.search_registered_models() == []


def test_a_building_model_is_no_change_model(gate: ChangePromotion) -> None:
    write_model(Path("models/change/sgsln"), 5.0)
    with pytest.raises(BadDataError, match="models/change/sgsln: its network reads one image"):
        judged(gate)


def test_a_path_is_no_change_method(gate: ChangePromotion) -> None:
    write_change_model("sgsln", EVERYWHERE)
    with pytest.raises(ParameterError, match=r"unknown change method '\.\./change/sgsln'"):
        judged(replace(gate, method="../change/sgsln"))


def test_a_data_set_without_a_test_split_proves_nothing(
    tmp_path: Path, tracking: TrackingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_change_world(tmp_path, test_pairs=0)
    monkeypatch.chdir(tmp_path)
    part = judged(change_settings(tracking), EVERYWHERE)
    assert part["outcome"] == "refused"
    assert "there is no clean test ground of tiny optical-to-optical" in part["reasons"][0]


def test_the_networks_own_threshold_is_used(gate: ChangePromotion) -> None:
    """A logit of 1 is a probability of 0.73."""
    for threshold, found in ((0.7, 6 * 144), (0.9, 0)):
        folder = write_change_model("sgsln", 1.0, threshold=threshold)
        ground = open_ground(folder, gate.stores, SETTINGS, "cpu")
        scores = ground.score(ground.load(folder)).scores
        assert scores is not None
        assert scores.tiles["px_tp"].sum() == found


def test_a_model_of_a_data_set_without_a_store_is_refused(gate: ChangePromotion) -> None:
    for data_set, kind, words in (
        ("levir-cd", MissingInputError, r"data/pairs/levir-cd.*is missing"),
        ("../pairs/tiny", BadDataError, "names no data set"),
    ):
        folder = write_change_model("sgsln", EVERYWHERE, data_set=data_set)
        with pytest.raises(kind, match=words):
            open_ground(folder, gate.stores, SETTINGS, "cpu")


def test_ground_that_splits_share_is_no_test(tmp_path: Path) -> None:
    report = tmp_path / "metrics.json"
    for leaks, sought, passed, words in (
        (0, True, True, "no ground is shared"),
        (2, True, False, "2 pairs share ground"),
        (0, False, False, "is not known"),
    ):
        report.write_text(json.dumps({"left_out_share": 0.01, "leaks": leaks}))
        check = data_check(report, leaks_sought=sought)
        assert check.passed == passed
        assert words in check.words
        assert check.words.endswith("1.0% of the pairs are left out")
    report.write_text("[]")
    with pytest.raises(BadDataError, match="is no report on pairs"):
        data_check(report, leaks_sought=True)
