from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from components.contract.errors import BadDataError, MissingInputError
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import convert_to_csn
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sealed import SEAL, seal_of
from components.lib.nets.sensorset import use_sensor


def network(kind: str = "disoptnet") -> SegmentationNetwork:
    torch.manual_seed(1)
    return build_network(
        NetworkConfig(
            kind=kind,
            encoder="timm-mobilenetv3_small_minimal_100",
            decoder_channels=16,
            sensors=("airborne",),
            input_mean=(80.0,) * 4,
            input_std=(23.0,) * 4,
        )
    )


def pixels() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8, generator=generator)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_bundle(tmp_path / "model", network(), {"stage": "distill"})
    return tmp_path / "model"


def edit(folder: Path, **changes: Any) -> None:
    """Change the signature as another version of the code would write it: sealed."""
    path = folder / "model.json"
    signature = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({**signature, SEAL: seal_of(signature)}))


@pytest.mark.parametrize("kind", ["deeplabv3plus", "disoptnet"])
def test_round_trip(kind: str, tmp_path: Path) -> None:
    net = network(kind)
    net(pixels().repeat(2, 1, 1, 1))
    save_bundle(tmp_path / "model", net, {"metrics": {"iou": 0.5}})
    loaded = load_bundle(tmp_path / "model")
    assert not loaded.training
    assert loaded.config == net.config
    assert loaded.metadata == {"metrics": {"iou": 0.5}}
    assert loaded.dropped_parameters == net.dropped_parameters
    assert torch.equal(loaded.predict(pixels(), "airborne"), net.predict(pixels(), "airborne"))
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["model.json", "weights.safetensors"]


def test_sensor_specific_round_trip(tmp_path: Path) -> None:
    net = convert_to_csn(network(), ["airborne", "spaceborne"], momentum=0.25)
    with use_sensor(net, "spaceborne"):
        net.train()(pixels().repeat(2, 1, 1, 1))
    save_bundle(tmp_path / "model", net, {})
    loaded = load_bundle(tmp_path / "model")
    for sensor in ("airborne", "spaceborne"):
        assert torch.equal(loaded.predict(pixels(), sensor), net.predict(pixels(), sensor))
    assert not torch.equal(loaded.predict(pixels(), "airborne"), loaded.predict(pixels(), "spaceborne"))
    assert loaded.config.norm_momentum == 0.25


def test_a_model_from_before_rates_were_stored_has_the_references(folder: Path) -> None:
    config = json.loads((folder / "model.json").read_text())["config"]
    assert config.pop("aspp_rates") == [12, 24, 36]
    edit(folder, config=config)
    assert load_bundle(folder).config.aspp_rates == (12, 24, 36)


def test_loading_leaves_the_random_numbers_alone(folder: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_bundle(folder)
    assert torch.equal(torch.rand(3), expected)


def test_loading_never_asks_a_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads((folder / "model.json").read_text())["config"]
    edit(folder, config={**config, "encoder_weights": "imagenet"})

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", refuse)
    monkeypatch.setattr("timm.models._builder.load_pretrained", refuse)
    assert load_bundle(folder).config.encoder_weights == "imagenet", "kept as provenance"


def test_tampered_weights_are_refused(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BadDataError, match="SHA-256"):
        load_bundle(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    config = json.loads((folder / "model.json").read_text())["config"]
    edit(folder, config={**config, "decoder_channels": 32})
    with pytest.raises(BadDataError, match="does not fit"):
        load_bundle(folder)


@pytest.mark.parametrize("kind", ["os", "registry", "base", "concord", "none", "no_such_network"])
def test_an_unknown_kind_of_network_is_bad_data(folder: Path, kind: str) -> None:
    config = json.loads((folder / "model.json").read_text())["config"]
    edit(folder, config={**config, "kind": kind})
    with pytest.raises(BadDataError, match=f"unknown network '{kind}'"):
        load_bundle(folder)


@pytest.mark.parametrize("kind", ["../deeplabv3plus", "a.b", "", 3])
def test_a_kind_that_is_no_name_is_bad_data(folder: Path, kind: object) -> None:
    config = json.loads((folder / "model.json").read_text())["config"]
    edit(folder, config={**config, "kind": kind})
    with pytest.raises(BadDataError, match=r"model\.json is malformed"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 99},
        {"config": {"kind": "disoptnet"}},
        {"config": []},
        {"weights_sha256": None},
        {"metadata": "text"},
        {"config": {"kind": "deeplabv3plus", "input_std": [0.0, 1.0, 1.0, 1.0]}},
    ],
)
def test_malformed_signature_is_bad_data(folder: Path, changes: dict[str, Any]) -> None:
    edit(folder, **changes)
    with pytest.raises(BadDataError, match=r"model\.json"):
        load_bundle(folder)


def test_a_configuration_that_was_changed_is_refused_by_name(folder: Path) -> None:
    path = folder / "model.json"
    signature = json.loads(path.read_text())
    for name, value in {
        "modality": "sar" if signature["config"]["modality"] == "optical" else "optical",
        "input_std": [float("nan")] * 4,
        "input_mean": [0.0] * 4,
        "threshold": 0.1,
        "sensors": ["another"],
    }.items():
        changed = {**signature, "config": {**signature["config"], name: value}}
        path.write_text(json.dumps(changed))
        with pytest.raises(BadDataError, match=r"model .*model\.json"):
            load_bundle(folder)
    for name in ("metadata", "parameters", "weights_sha256"):
        path.write_text(json.dumps({**signature, name: signature["seal"]}))
        with pytest.raises(BadDataError, match="is not what was sealed with the weights"):
            load_bundle(folder)


def test_numbers_that_are_none_are_refused_even_if_they_were_sealed() -> None:
    for name in ("input_mean", "input_std"):
        for value in (float("nan"), float("inf")):
            with pytest.raises(ValidationError):
                NetworkConfig(kind="deeplabv3plus", **{name: (1.0, 1.0, 1.0, value)})


def test_a_model_without_a_seal_is_to_be_trained_again(folder: Path) -> None:
    path = folder / "model.json"
    signature = json.loads(path.read_text())
    del signature[SEAL]
    for former, told in ((signature | {"format": 1}, "1 had no seal"), (signature, "it has no 'seal'")):
        path.write_text(json.dumps(former))
        with pytest.raises(BadDataError, match=told) as caught:
            load_bundle(folder)
        assert "dvc repro --force" in caught.value.next_step


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_folder_in_place_of_a_file_is_bad_data(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    with pytest.raises(BadDataError, match=f"{name} is no file"):
        load_bundle(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"format": 2}', "\udcff"])
def test_signature_that_is_no_json_object_is_bad_data(folder: Path, text: str) -> None:
    (folder / "model.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BadDataError, match=r"model\.json is malformed"):
        load_bundle(folder)


def test_missing_bundle_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError) as caught:
        load_bundle(tmp_path / "models" / "optical")
    assert "dvc repro optical" in caught.value.next_step


def test_failed_save_leaves_the_old_model(folder: Path) -> None:
    before = (folder / "model.json").read_text()
    with pytest.raises(TypeError):
        save_bundle(folder, network("deeplabv3plus"), {"not": object()})
    assert (folder / "model.json").read_text() == before
    load_bundle(folder)
    assert [p.name for p in folder.parent.iterdir()] == ["model"]


def test_a_whole_model_of_the_other_modality_is_refused_by_both_names(tmp_path: Path) -> None:
    net = network("deeplabv3plus")
    net.config = net.config.model_copy(update={"modality": "optical"})
    folder = tmp_path / "sar" / "disoptnet"
    save_bundle(folder, net, {})
    assert load_bundle(folder, modality="optical").config.modality == "optical"
    with pytest.raises(
        BadDataError, match=r"sar/disoptnet: .* reads optical .* reads sar belongs here"
    ) as caught:
        load_bundle(folder, modality="sar")
    assert "dvc repro --force distill" in caught.value.next_step
