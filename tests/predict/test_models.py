"""Models by registry, folder and item: the same weights, and clear errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from components.contract.errors import BadDataError, MissingInputError, ParameterError, StormsightError
from components.contract.hashing import sha256_bytes, sha256_file
from components.lib.nets.bundle import load_bundle
from components.lib.objects.opening import open_objects
from components.predict.models import resolve_model
from components.promote.buildings import PromotionSettings
from tests.lib.tracking.local_store import local_store
from tests.object_stores import bucket, s3_environment, s3_url
from tests.promote.running import SAR, registry_of, run, settings_here
from tests.promote.world import AIRBORNE, FINDS, SPACEBORNE, write_control, write_model, write_world

__all__ = ["bucket", "s3_environment", "s3_url"]

CHAMPION = f"models:/{SAR}@champion"
ITEMS = Path("var/objects/maps/models") / SAR


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PromotionSettings:
    """The stage in a checkout whose params.yaml names a local MLflow store of the test's own."""
    for name in ("MLFLOW_TRACKING_URI", "STORMSIGHT_OBJECTS"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "checkout"
    write_world(root)
    monkeypatch.chdir(root)
    tracking = local_store(tmp_path / "mlflow")
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["tracking"] = tracking.model_dump(mode="json")
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    write_control()
    return settings_here(tracking)


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


FRESH = """
import sys
from components.predict.models import resolve_model
from tests.predict.test_models import digest
print(digest(resolve_model(sys.argv[1]).net), "mlflow" in sys.modules)
"""


def digest(net: torch.nn.Module) -> str:
    """Return the SHA-256 of all weights."""
    state = net.state_dict()
    return sha256_bytes(b"".join(state[name].numpy().tobytes() for name in sorted(state)))


def refusal(spec: str, kind: type[StormsightError]) -> str:
    """Return message and next step of the refusal of a model."""
    with pytest.raises(kind) as caught:
        resolve_model(spec)
    return f"{caught.value.message} / {caught.value.next_step}"


def test_registry_folder_and_item_give_the_same_network(stage: PromotionSettings) -> None:
    run(stage, FINDS)
    own = load_bundle(Path("models/adapted"))
    pixels = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    href = f"file://{(ITEMS / '1/item.json').resolve()}"
    for spec in (CHAMPION, f"models:/{SAR}/1", "models/adapted", str(ITEMS / "1/item.json"), href):
        served = resolve_model(spec, modality="sar")
        assert same_weights(served.net, own), spec
        assert torch.equal(served.net.predict(pixels, SPACEBORNE), own.predict(pixels, SPACEBORNE))
        assert served.weights_sha256 == sha256_file(Path("models/adapted/weights.safetensors"))
        if spec == "models/adapted":
            assert (served.promoted, served.item_href) == (False, None)
            assert served.words == "models/adapted (not promoted)"
        else:
            assert (served.name, served.version, served.promoted) == (SAR, "1", True)
            assert served.item_href == href
        with pytest.raises(ParameterError, match="no normalisation for sensor 'other'"):
            served.net.predict(pixels, "other")


def test_a_fresh_process_needs_the_item_alone(
    stage: PromotionSettings, tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On S3: neither MLflow, nor ledger, nor params.yaml is within reach."""
    monkeypatch.setenv("STORMSIGHT_OBJECTS", f"s3://{bucket}/prefix")
    run(stage, FINDS)
    item = f"s3://{bucket}/prefix/maps/models/{SAR}/1/item.json"
    monkeypatch.delenv("STORMSIGHT_OBJECTS")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    there = subprocess.run(
        [sys.executable, "-c", FRESH, item], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert there.split() == [digest(load_bundle(Path("models/adapted"))), "False"]
    assert open_objects(f"s3://{bucket}/prefix").exists(f"maps/models/{SAR}/collection.json")


def test_after_a_rollback_the_champion_is_the_former_version(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    run(stage, FINDS)
    assert resolve_model(CHAMPION).version == "2"
    registry_of(stage).rollback("drill")
    served = resolve_model(CHAMPION)
    assert (served.version, served.promoted) == ("1", True)


def test_a_version_that_was_refused_is_not_promoted(stage: PromotionSettings) -> None:
    run(stage, -5.0)
    served = resolve_model(f"models:/{SAR}/1")
    assert (served.promoted, served.item_href) == (False, None)
    told = refusal(CHAMPION, MissingInputError)
    assert "stormsight-sar has no champion yet" in told
    assert "reports/promote/decision.txt" in told
    assert "models/sar/none, or optical images with models:/stormsight-optical@champion" in told


def test_without_a_registry_nothing_is_made(stage: PromotionSettings) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["tracking"]["uri"] = "sqlite:///var/none.db"
    Path("params.yaml").write_text(yaml.safe_dump(params))
    assert "stormsight-sar has no champion yet" in refusal(CHAMPION, MissingInputError)
    assert not Path("var/none.db").exists()


NO_MODELS: list[tuple[str, type[StormsightError], str]] = [
    ("models:/other@champion", ParameterError, "there is no registered model 'other'"),
    (
        "models:/stormsight-roads-sar@champion",
        MissingInputError,
        "or optical images with models:/stormsight-roads-optical@champion",
    ),
    ("models:/stormsight-change@champion", ParameterError, "stormsight-change compares two dates"),
    (f"models:/{SAR}@challenger", ParameterError, f"use models:/{SAR}@champion or"),
    (f"models:/{SAR}", ParameterError, "names no registered model / use models:/stormsight-sar@champion"),
    (f"models:/{SAR}/17", MissingInputError, "stormsight-sar has no version 17"),
    ("ftp://host/model", ParameterError, "names no model"),
    ("models/none", MissingInputError, "there is no such folder or file"),
    ("data", MissingInputError, "it has no weights.safetensors"),
    ("nowhere/item.json", MissingInputError, "there is no such item / use models:/stormsight-sar@champion"),
    ("params.json", BadDataError, "it is no JSON"),
    ("other.json", BadDataError, "it describes no model of this project"),
]


def test_what_names_no_model_is_refused(stage: PromotionSettings) -> None:
    Path("params.json").write_text("promote: {}")
    other = {"type": "Feature", "stac_version": "1.1.0", "properties": {}, "assets": {}}
    Path("other.json").write_text(json.dumps(other))
    for spec, kind, words in NO_MODELS:
        assert words in refusal(spec, kind)


def test_a_model_of_the_other_layer_is_refused(stage: PromotionSettings) -> None:
    write_model(Path("models/optical/deeplabv3plus"), 5.0, sensors=(AIRBORNE,), modality="optical")
    with pytest.raises(ParameterError, match="reads optical images, the scene is sar") as caught:
        resolve_model("models/optical/deeplabv3plus", modality="sar")
    assert "models:/stormsight-sar@champion" in caught.value.next_step


def test_a_model_of_another_task_is_refused_where_one_is_asked_for(stage: PromotionSettings) -> None:
    assert resolve_model("models/sar/none").net.config.task == "buildings"
    with pytest.raises(ParameterError, match="predicts buildings, not roads") as caught:
        resolve_model("models/sar/none", task="roads")
    assert caught.value.next_step == "name a model of roads"


def test_tampered_weights_and_items_are_refused(stage: PromotionSettings, tmp_path: Path) -> None:
    run(stage, 5.0)
    path = ITEMS / "1/item.json"
    item = json.loads(path.read_text())

    def refused(changed: dict[str, object]) -> str:
        path.write_text(json.dumps({**item, **changed}))
        return refusal(str(path), BadDataError)

    changed = {**item["properties"], "stormsight:threshold": 0.1}
    assert "its content is not what was published" in refused({"properties": changed})
    unsealed = {name: value for name, value in item["properties"].items() if name != "stormsight:seal"}
    for href in ("/etc/passwd", "file:///etc/passwd", "https://elsewhere/weights", "s3://other/weights"):
        weights = {**item["assets"]["weights"], "href": href}
        assets = {**item["assets"], "weights": weights}
        assert "not relative to itself" in refused({"properties": unsealed, "assets": assets})
    for href in ("../../other/weights", "../../../../../../etc/passwd", "..", "", "../bundles/../../x"):
        weights = {**item["assets"]["weights"], "href": href}
        told = refused({"properties": unsealed, "assets": {**item["assets"], "weights": weights}})
        assert "outside of its model's folder" in told or "names a folder" in told, href
    for changed in (
        {"mlm:name": "stormsight\x1b[2J"},
        {"mlm:name": "a" * 10**6},
        {"mlm:name": 7},
        {"version": "../../1"},
        {"version": 10**400},
        {"instruments": [{"a": 1}]},
        {"instruments": "simulated-airborne"},
    ):
        assert "it describes no model of this project" in refused({"properties": {**unsealed, **changed}})
    other = refused({"properties": {**unsealed, "instruments": ["capella-airborne"]}})
    assert "names the sensors capella-airborne, its network knows" in other
    swapped = {"weights": item["assets"]["signature"], "signature": item["assets"]["signature"]}
    assert "does not have the SHA-256" in refused({"properties": unsealed, "assets": swapped})
    path.write_text("[" * (5 << 20))
    assert "it has more than 4 MiB" in refusal(str(path), BadDataError)
    path.write_text("[" * 10**6)
    assert "it is no JSON" in refusal(str(path), BadDataError)
    assets = {**item["assets"], "weights": {"href": item["assets"]["weights"]["href"]}}
    assert "it states no SHA-256 of a file" in refused({"properties": unsealed, "assets": assets})

    path.write_text(json.dumps(item))
    weights_file = next(ITEMS.rglob("weights.safetensors"))
    weights_file.write_bytes(b"other")
    assert "has the SHA-256" in refusal(str(path), BadDataError)
    weights_file.unlink()
    assert "weights.safetensors is missing" in refusal(str(path), MissingInputError)
    for weights_file in (tmp_path / "mlflow").rglob("weights.safetensors"):
        weights_file.write_bytes(b"other")
    assert "weights.safetensors is not the file that was registered" in refusal(CHAMPION, BadDataError)


def test_a_folder_of_another_format_is_refused(stage: PromotionSettings) -> None:
    signature = Path("models/sar/none/model.json")
    signature.write_text(json.dumps({**json.loads(signature.read_text()), "format": 1}))
    told = refusal("models/sar/none", BadDataError)
    assert "models/sar/none cannot be loaded" in told
    assert "has format '1', not 2" in told
