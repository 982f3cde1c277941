"""Publication of promoted models in the STAC catalogue, and the round trip from ledger to items and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest
import torch
from pystac.extensions.mlm import MLMExtension

from components.contract import keys
from components.contract.rights import allows
from components.lib.catalogue.bundles import fetched_model, open_model_item
from components.lib.nets.bundle import load_bundle
from components.lib.objects.opening import open_objects
from components.promote.buildings import PromotionSettings
from components.promote.publishing import Publisher, open_publisher
from tests.guarded_objects import GuardedObjects
from tests.promote.running import SAR, registry_of, run
from tests.promote.world import AIRBORNE, FINDS, SPACEBORNE
from tests.stac import validate

MAPS = Path("var/objects/maps")


def item(version: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MAPS / f"models/{SAR}/{version}/item.json").read_text())
    return found


def collection() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((MAPS / f"models/{SAR}/collection.json").read_text())
    return found


def publisher(stage: PromotionSettings) -> Publisher:
    registry = registry_of(stage)
    return open_publisher(registry.connection, registry.ledgers)


def test_ledger_and_catalogue_make_a_round_trip(stage: PromotionSettings) -> None:
    assert run(stage, 5.0)["outcome"] == "promoted"
    assert run(stage, FINDS)["outcome"] == "promoted"
    first = item("1")
    registry = registry_of(stage)
    registry.rollback("drill")
    publisher(stage).publish_after_change((SAR,))
    entries = registry_of(stage).ledger.entries()

    told = [item(version)["properties"]["stormsight:ledger"] for version in ("1", "2")]
    assert [(t["seq"], t["hash"], t["version"], t["previous_version"]) for t in told] == [
        (e.seq, e.hash, e.version, e.previous_version) for e in entries[:2]
    ]
    assert [t["files_sha256"] for t in told] == [e.change.files for e in entries[:2]]
    changes = collection()["stormsight:changes"]
    assert [(c["seq"], c["hash"], c["action"], c["version"], c["previous_version"]) for c in changes] == [
        (e.seq, e.hash, e.action, e.version, e.previous_version) for e in entries
    ]
    assert collection()["stormsight:champion"] == registry.current() == "1"
    latest = [link["href"] for link in collection()["links"] if link["rel"] == "latest-version"]
    assert latest == ["./1/item.json"]
    before = [link["href"] for link in item("2")["links"] if link["rel"] == "predecessor-version"]
    assert before == ["../1/item.json"]
    assert not [link for link in first["links"] if link["rel"] == "predecessor-version"]
    assert item("1") == first  # items are never written again


def test_items_and_documents_are_valid_stac(stage: PromotionSettings) -> None:
    run(stage, 5.0)
    root = json.loads((MAPS / "catalog.json").read_text())
    for document in (item("1"), collection(), root):
        assert validate(document) == []
    read = pystac.Item.from_file(str(MAPS / f"models/{SAR}/1/item.json"))
    mlm = MLMExtension.ext(read)
    assert (mlm.mlm_name, mlm.tasks) == (SAR, ["semantic-segmentation"])
    properties = item("1")["properties"]
    assert properties["instruments"] == [AIRBORNE, SPACEBORNE]
    assert properties["description"].startswith("Simulated: no number is from a real sensor.")
    assert {i["name"]: i["bands"] for i in properties["mlm:input"]} == {
        AIRBORNE: ["HH", "HV", "VH", "VV"],
        SPACEBORNE: ["HH", "HV", "HV", "HH"],
    }
    metrics = properties["stormsight:metrics"]
    assert metrics["simulated"] is True
    assert metrics["all_sensors"]["low"] <= metrics["all_sensors"]["value"] <= metrics["all_sensors"]["high"]
    assert properties["stormsight:window_px"] == 512
    assert properties["stormsight:training_data"]["acquisitions"] == [AIRBORNE, SPACEBORNE]


def test_the_item_alone_gives_the_network_bit_for_bit(stage: PromotionSettings) -> None:
    run(stage, FINDS)
    published = open_model_item(str(MAPS / f"models/{SAR}/1/item.json"))
    with fetched_model(published) as folder:
        net = load_bundle(folder)
    own = load_bundle(Path("models/adapted"))
    assert all(torch.equal(value, own.state_dict()[name]) for name, value in net.state_dict().items())
    pixels = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8)
    assert torch.equal(net.predict(pixels, SPACEBORNE), own.predict(pixels, SPACEBORNE))


def test_what_was_cut_off_after_the_alias_moved_is_made_up_for(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "publish_after_change", lambda *_: None)  # killed right before
        run(stage, 5.0)
    assert not MAPS.exists()
    done, failures = publisher(stage).publish((SAR,))
    assert (len(done), failures) == (1, [])
    bundle = next((MAPS / f"models/{SAR}/bundles").iterdir())
    (MAPS / f"models/{SAR}/1/item.json").unlink()
    assert publisher(stage).publish((SAR,)) == (done, [])  # the same bytes are found again
    assert sorted(path.name for path in bundle.iterdir()) == ["model.json", "weights.safetensors"]


def test_a_failure_to_publish_is_told_and_undoes_nothing(
    stage: PromotionSettings, caplog: pytest.LogCaptureFixture
) -> None:
    Path("var/objects").mkdir(parents=True)
    (Path("var/objects") / keys.MAPS.rstrip("/")).write_text("a file where the folder should be")
    assert run(stage, 5.0)["outcome"] == "promoted"
    assert registry_of(stage).current() == "1"
    assert "the change stands, but not all of it is in the catalogue" in caplog.text


def test_the_account_of_promotions_may_publish_and_housekeeping_may_remove_nothing_of_it(
    stage: PromotionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "publish_after_change", lambda *_: None)
        run(stage, 5.0)
    registry = registry_of(stage)
    objects = GuardedObjects(open_objects("var/objects"), "ledger")
    done, failures = Publisher(registry.connection, registry.ledgers, objects).publish((SAR,))
    assert (len(done), failures, objects.refused) == (1, [], set())
    written = [key for verb, key in objects.used if verb in {"create", "write"}]
    assert len(written) == 5
    for key in written:
        assert not allows("housekeeping", "objects", "delete", key)
        replaced = allows("ledger", "objects", "write", key)
        assert replaced == key.endswith(("collection.json", "catalog.json"))


def test_where_nothing_was_promoted_there_is_no_item(stage: PromotionSettings) -> None:
    assert run(stage, -5.0)["outcome"] == "refused"
    assert not MAPS.exists()
