"""STAC items of models: what they tell, for each layer, and that they are valid."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from components.contract.errors import BadDataError, ParameterError
from components.contract.keys import model_bundle_prefix
from components.lib.catalogue.decisions import Decision
from components.lib.catalogue.documents import encode, read_item
from components.lib.catalogue.models import ModelRelease, StoredFile, model_item
from components.lib.datasets.scaling import scale_sar
from components.lib.datasets.sensors import get_sensor
from components.lib.geo.grid import GRID_M
from components.lib.ledger.chain import Entry
from components.lib.nets.config import NetworkConfig
from components.lib.objects.sealed import checked
from components.lib.registry.ledger import ChampionChange, ChampionEntry
from tests.stac import validate

AIRBORNE, SPACEBORNE = "simulated-airborne", "simulated-spaceborne"
HASH, MODEL = "a" * 64, "stormsight-sar"


def score(value: float, *, degenerate: bool = False) -> dict[str, Any]:
    return {
        "value": value,
        "low": value - 0.1,
        "high": value + 0.1,
        "lower_bound": value - 0.05,
        "confidence": 0.95,
        "locations": 40,
        "degenerate": degenerate,
    }


def release(config: dict[str, Any], **decision: Any) -> ModelRelease:
    """Facts of version 2, promoted instead of version 1."""
    change = ChampionChange(
        action="promote",
        model=MODEL,
        version="2",
        previous_version="1",
        decision=HASH,
        reason="it gains",
        actor="ada",
        files={"weights.safetensors": HASH, "model.json": HASH},
    )
    chained = Entry(seq=2, time="2026-11-29T05:00:00Z", prev_hash=HASH, body=change.body(), hash=HASH)
    record = {
        "method": "concord",
        "simulated": True,
        "metric": "iou",
        "tiles": 12,
        "challenger": score(0.6),
        "champion": score(0.5),
        "gain": score(0.1),
        "by_sensor": {AIRBORNE: {"challenger": score(0.6, degenerate=True), "champion": None}},
        "sha256": {"data": HASH, "code": HASH},
        **decision,
    }
    prefix = model_bundle_prefix(MODEL, HASH)
    return ModelRelease(
        entry=ChampionEntry(chained, change),
        decision=checked(record, Decision, name="the record"),
        signature={"config": config, "parameters": 1234, "metadata": {"training": {"crop": 384}}},
        files={
            name: StoredFile(key=f"{prefix}{name}", sha256=HASH, size=7)
            for name in ("weights.safetensors", "model.json")
        },
        purpose="Buildings from SAR.",
    )


def config(**fields: Any) -> dict[str, Any]:
    given = {"kind": "deeplabv3plus", "encoder": "resnet18", "sensors": (AIRBORNE,), **fields}
    found: dict[str, Any] = NetworkConfig(**given).model_dump(mode="json")
    return found


def test_an_item_tells_all_that_is_needed_to_use_the_model() -> None:
    item = model_item(
        release(
            config(
                sensors=(AIRBORNE, SPACEBORNE),
                sensor_specific=True,
                threshold=0.4,
                encoder_weights="imagenet",
            )
        )
    )
    assert validate(item) == []
    assert read_item(encode(item), name="it") == json.loads(encode(item))
    told = item["properties"]
    assert told["gsd"] == GRID_M
    assert told["mlm:output"][0]["post_processing_function"]["expression"].endswith("> 0.4")
    assert told["mlm:pretrained_source"] == "imagenet"
    assert told["mlm:total_parameters"] == 1234
    assert told["stormsight:training_crop_px"] == 384
    assert told["stormsight:sensors"][SPACEBORNE]["channel_source"] == [0, 1, 1, 0]
    assert told["stormsight:normalisation"]["statistics"] == "one set per sensor, in the weights"
    assert told["stormsight:ledger"]["actor"] == "ada"
    assert told["stormsight:metrics"]["gain"]["low"] == pytest.approx(0.0)
    assert told["stormsight:metrics"]["by_sensor"][AIRBORNE]["low"] is None  # too few blocks for an interval
    assert item["assets"]["weights"]["href"] == f"../bundles/{HASH}/weights.safetensors"


def test_the_scaling_is_that_of_the_training_store() -> None:
    """The expression in the item gives the same bytes as the code."""
    (found,) = model_item(release(config()))["properties"]["mlm:input"]
    x = np.linspace(-5, 105, 1001, dtype=np.float32).reshape(1, 1, -1)
    stored = scale_sar(x, np.ones((1, x.shape[-1]), dtype=bool), get_sensor(AIRBORNE).scale_limits)
    expression = found["value_scaling"][0]["expression"]
    values = eval(expression, {"numpy": np, "x": x})
    np.testing.assert_array_equal(values[0, 0], stored[0, :, 0])


def test_an_optical_model_reads_bands_in_the_place_of_polarisations() -> None:
    item = model_item(release(config(modality="optical")))
    assert validate(item) == []
    (found,) = item["properties"]["mlm:input"]
    assert (found["bands"], found["value_scaling"]) == (["B", "R", "R", "G"], None)
    assert [band["name"] for band in item["assets"]["weights"]["raster:bands"]] == ["B", "R", "G"]


def test_a_training_on_registered_acquisitions_links_to_them() -> None:
    item = model_item(release(config(), training=f"work/{HASH}", acquisitions=["acq-1"]))
    links = {link["rel"]: link["href"] for link in item["links"]}
    assert links["via"] == "../../../../catalogue/acq-1.json"
    assert links["predecessor-version"] == "../1/item.json"
    data = item["properties"]["stormsight:training_data"]
    assert data["lock"] == f"work/{HASH}/dvc.lock"
    own = model_item(release(config(), acquisitions=["rehearsal-airborne"]))
    assert "via" not in {link["rel"] for link in own["links"]}


def test_records_of_another_code_are_refused_by_name() -> None:
    with pytest.raises(BadDataError, match=r"stormsight-sar version 2: model\.json describes no network"):
        model_item(release({}))
    with pytest.raises(ParameterError, match="unknown sensor 'other'"):
        model_item(release(config(sensors=("other",))))
    with pytest.raises(BadDataError, match="the record does not hold the fields"):
        release(config(), metric=None)
