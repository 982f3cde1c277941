from __future__ import annotations

import pytest
import yaml

from components.contract.errors import ParameterError
from components.lib.registry.signature import bands_of, building_reading, signature_text


def test_channels_are_named_by_the_bands_behind_them() -> None:
    assert bands_of("sar", ["simulated-airborne", "simulated-spaceborne"]) == {
        "simulated-airborne": "HH, HV, VH, VV",
        "simulated-spaceborne": "HH, HV, HV, HH",
    }
    assert bands_of("optical", ["capella-airborne"]) == {"capella-airborne": "B, R, R, G"}
    with pytest.raises(ParameterError, match="unknown sensor"):
        bands_of("sar", ["simulated-airbone"])


def test_mlflows_signature_names_sensor_and_bands() -> None:
    from mlflow.models import Model  # noqa: PLC0415 - slow

    document = yaml.safe_load(signature_text("abc", building_reading("sar", ["capella-airborne"])))
    assert document["run_id"] == "abc"
    signature = Model.from_dict(document).signature
    (read,) = signature.inputs.to_dict()
    assert read["name"] == "sar of capella-airborne: HH, HV, VH, VV"
    assert read["tensor-spec"] == {"dtype": "uint8", "shape": (-1, 4, -1, -1)}
    assert signature.outputs.to_dict()[0]["name"] == "building probability"
