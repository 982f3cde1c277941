from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from components.contract.errors import ParameterError
from components.lib.change.nets.bundle import build_change
from components.lib.change.nets.config import ChangeConfig, DateConfig
from components.lib.change.nets.network import ChangeNetwork
from tests.lib.change.configs import OPTICAL, OTHER_DAY, SAR, config, image

KINDS = ("sgsln", "siamese_unet", "exchange_unet")


def network(kind: str, **changes: Any) -> ChangeNetwork:
    torch.manual_seed(0)
    return build_change(config(kind, **changes))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [OTHER_DAY, SAR], ids=["optical", "sar"])
def test_images_of_any_size_give_a_map_of_that_size(kind: str, after: DateConfig) -> None:
    net = network(kind, after=after)
    second = image(2, bands=len(after.bands), height=45, width=70)
    logits = net.predict(image(1, height=45, width=70), second)
    assert logits.shape == (2, 1, 45, 70)
    assert torch.isfinite(logits).all()
    assert net.training, "the mode is put back"
    assert not torch.equal(logits, net.predict(image(3, height=45, width=70), second))


@pytest.mark.parametrize("kind", ["siamese_unet", "exchange_unet"])
def test_the_controls_have_about_the_parameters_of_sgsln(kind: str) -> None:
    count = sum(p.numel() for p in network(kind, width=32).parameters())
    assert 0.9 < count / 6_036_375 < 1.1


@pytest.mark.parametrize("kind", ["siamese_unet", "exchange_unet"])
@pytest.mark.parametrize("width", [4, 8])
def test_all_parameters_of_the_controls_learn(kind: str, width: int) -> None:
    """Four is the least width, whose last decoder stage has two channels."""
    net = network(kind, width=width)
    net(image(1, height=64, width=64), image(2, height=64, width=64)).square().mean().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_the_siamese_control_does_not_know_which_date_is_first() -> None:
    net = network("siamese_unet", after=OPTICAL)
    assert torch.equal(net.predict(image(1), image(2)), net.predict(image(2), image(1)))


def test_equal_images_differ_nowhere() -> None:
    net = network("siamese_unet", after=OPTICAL).eval()
    logits = net.predict(image(1), image(1))
    assert torch.equal(logits, net.predict(image(2), image(2)))


@pytest.mark.parametrize("encoder", ["resnet18", "mobilenet_v2"])
def test_stages_of_an_encoder_give_its_features(encoder: str) -> None:
    net = network("exchange_unet", encoder=encoder, exchange="none").eval()
    x, features = torch.randn(1, 3, 64, 64), []
    from components.lib.change.nets.siamese import stages_of  # noqa: PLC0415

    state = x
    for stage in stages_of(net.encoder, encoder):  # type: ignore[arg-type]
        state = stage(state)
        features.append(state)
    expected = net.encoder(x)[1:]  # type: ignore[operator]
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(features, expected, strict=True))


def test_an_encoder_without_stages_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"'timm-.*' cannot be run stage by stage(.|\n)*mobilenet_v2"):
        network("exchange_unet", encoder="timm-mobilenetv3_small_minimal_100")


def test_each_date_is_normalised_with_its_own_statistics_and_padded_with_no_data() -> None:
    net = network("sgsln")
    grey = torch.full((1, 3, 20, 16), 100, dtype=torch.uint8)
    before, after = net.normalise(grey, 0), net.normalise(grey, 1)
    assert before.shape == after.shape == (1, 3, 32, 16)
    assert before[0, :, 0, 0].tolist() == pytest.approx([0.0, -0.2, -1 / 3])
    assert after[0, :, 0, 0].tolist() == pytest.approx([1 / 3, 1.0, 3.0])
    assert before[0, :, 31, 0].tolist() == pytest.approx([-2.5, -2.2, -2.0])


def test_dates_are_swapped_after_normalisation() -> None:
    net, seen = network("sgsln").eval(), list[tuple[torch.Tensor, torch.Tensor]]()
    maps = net.maps
    net.maps = lambda before, after: seen.append((before, after)) or maps(before, after)  # type: ignore[method-assign, func-returns-value]
    first, second = image(1), image(2)
    net.supervised(first, second, torch.tensor([True, False]))
    (before, after), own = seen[0], (net.normalise(first, 0), net.normalise(second, 1))
    assert torch.equal(before[0], own[1][0])
    assert torch.equal(after[0], own[0][0])
    assert torch.equal(before[1], own[0][1])
    assert torch.equal(after[1], own[1][1])


def test_images_of_unequal_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(32, 32\) and \(32, 48\)"):
        network("sgsln")(image(1), image(2, width=48))


def test_statistics_must_fit_the_bands() -> None:
    with pytest.raises(ValidationError, match="one value per band"):
        DateConfig.of("sar", sensor="x", mean=(1.0,) * 3, std=(1.0,) * 3)
    with pytest.raises(ValidationError, match="positive"):
        DateConfig.of("optical", sensor="x", mean=(1.0,) * 3, std=(0.0,) * 3)
    with pytest.raises(ValidationError, match="Extra inputs"):
        ChangeConfig.model_validate({**config().model_dump(), "depth": 3})
