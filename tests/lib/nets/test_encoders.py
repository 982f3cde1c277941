from __future__ import annotations

import logging
import socket

import pytest
import torch
from segmentation_models_pytorch.encoders import get_encoder

from components.contract.errors import ParameterError
from components.lib.nets.config import NetworkConfig
from components.lib.nets.encoders import create_encoder
from components.lib.nets.factory import build_network


def test_pretrained_stem_cycles_rgb_and_keeps_the_sum() -> None:
    # What create_encoder does to fetched weights; here to random ones, for want of a hub.
    encoder = get_encoder("resnet18", in_channels=3, weights=None)
    rgb = encoder.conv1.weight.detach().clone()
    encoder.set_in_channels(4, pretrained=True)
    stem = encoder.conv1.weight.detach()
    assert stem.shape == (64, 4, 7, 7)
    for band in range(4):
        assert torch.equal(stem[:, band], rgb[:, band % 3] * 3 / 4)


def test_timm_stem_follows_the_same_rule() -> None:
    from timm.models import adapt_input_conv  # noqa: PLC0415

    rgb = torch.randn(8, 3, 3, 3)
    stem = adapt_input_conv(4, rgb)
    for band in range(4):
        assert torch.allclose(stem[:, band], rgb[:, band % 3] * 3 / 4)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet-b0", "timm-mobilenetv3_small_minimal_100"])
def test_unreachable_hub_falls_back_with_a_message(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub.constants as hub  # noqa: PLC0415

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        encoder, weights = create_encoder(name, in_channels=4, weights="imagenet")
    assert weights is None
    assert encoder.out_channels[0] == 4
    assert f"encoder {name}: 'imagenet' weights cannot be fetched" in caplog.text
    assert "random weights" in caplog.text


def test_hub_that_refuses_connections_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub.constants as hub  # noqa: PLC0415

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        # Bound but not listening: a connection is refused at once, as by a firewall that says so.
        monkeypatch.setattr(hub, "ENDPOINT", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
        with caplog.at_level(logging.WARNING):
            _, weights = create_encoder("resnet18", in_channels=4, weights="imagenet")
    assert weights is None
    assert "cannot be fetched" in caplog.text
    assert "Retrying" not in caplog.text
    assert hub.HF_HUB_OFFLINE is False, "the process may find the hub later"


def test_network_says_which_weights_it_really_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, caplog: pytest.LogCaptureFixture
) -> None:
    import huggingface_hub.constants as hub  # noqa: PLC0415

    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    config = NetworkConfig(
        kind="disoptnet", encoder="resnet18", encoder_weights="imagenet", decoder_channels=16, sensors=("a",)
    )
    assert build_network(config).config.encoder_weights is None
    assert len([r for r in caplog.records if "cannot be fetched" in r.message]) == 1


def test_unknown_encoder_names_the_nearest() -> None:
    with pytest.raises(
        ParameterError, match=r"unknown encoder 'resnet19'; the nearest valid one is 'resnet1"
    ):
        create_encoder("resnet19", in_channels=4, weights=None)


def test_unknown_timm_model_is_a_parameter_error() -> None:
    with pytest.raises(ParameterError, match="tu-no_such_model"):
        create_encoder("tu-no_such_model", in_channels=4, weights=None)


def test_unknown_weights_are_a_parameter_error() -> None:
    with pytest.raises(ParameterError, match=r"'resnet18' has no 'moonnet' weights"):
        create_encoder("resnet18", in_channels=4, weights="moonnet")


@pytest.mark.parametrize("name", ["xception", "densenet121"])
def test_encoder_that_cannot_be_dilated_is_named(name: str) -> None:
    with pytest.raises(ParameterError, match=f"{name}.*output stride 16"):
        create_encoder(name, in_channels=4, weights=None)
