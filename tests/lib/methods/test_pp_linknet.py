"""PP-LinkNet and its controls: layers, counts, padding, colours, a few steps of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

from components.lib.engine.focal import FocalTask
from components.lib.engine.loop import FitResult, fit
from components.lib.losses.focal import RELEASED
from components.lib.methods.pp_linknet import PpLinkNet, PyramidPooling
from components.lib.methods.registry import load_method, load_teacher
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.encoders import create_encoder
from components.lib.nets.factory import build_network
from components.lib.nets.linknet import LinkDecoder, LinkNetwork, follow_colours, remove_dilation
from tests.lib.engine.tiny import parameters

SMALL = "timm-mobilenetv3_small_minimal_100"
KINDS = ("pp_linknet", "d_linknet", "linknet")


def build(kind: str, encoder: str = SMALL, **options: Any) -> Any:
    torch.manual_seed(3)
    return build_network(NetworkConfig(kind=kind, encoder=encoder, **{"sensors": ("a",), **options}))


def as_released(kind: str, bands: int = 3) -> Any:
    """A network without memory on ResNet-34: for counting alone."""
    moments = {"input_mean": (100.0,) * bands, "input_std": (30.0,) * bands}
    with torch.device("meta"):
        return build(kind, "resnet34", in_channels=bands, **moments).eval()


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def gmac(net: nn.Module) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.empty(1, 3, 512, 512, dtype=torch.uint8, device="meta"))
    return float(counter.get_total_flops()) / 2e9


def pixels(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 256, shape, generator=generator, dtype=torch.uint8)


def test_counts_are_the_references() -> None:
    # docs/methods/pp_linknet.md, to the digit.
    net = as_released("pp_linknet")
    assert {name: count(part) for name, part in net.named_children()} == {
        "encoder": 21_284_672,
        "centre": 786_944,
        "decoders": 329_888,
        "head": 42_337,
    }
    assert count(net) == 22_443_841
    assert count(as_released("pp_linknet", bands=4)) == 22_446_977
    # 35.0 in the reference, whose counter adds normalisation and resizing; here convolutions alone.
    assert gmac(net) == pytest.approx(35.0, rel=0.005)


def test_counts_of_the_controls() -> None:
    d_linknet, linknet = as_released("d_linknet"), as_released("linknet")
    # PP-LinkNet's body with four 3x3 convolutions of 512 channels; 31.10 M and 26.6 GMAC in the reference.
    assert count(d_linknet) == 22_443_841 - 786_944 + 4 * (9 * 512 * 512 + 512) == 31_096_129
    assert gmac(d_linknet) == pytest.approx(26.6, rel=0.005)
    assert count(linknet) == 21_771_937, "smp's"


def test_sides_and_channels_at_1024_are_the_references() -> None:
    net = as_released("pp_linknet")
    found: list[tuple[int, int]] = []
    for module in [net.centre, *net.decoders, *net.head]:
        module.register_forward_hook(lambda _, __, out: found.append((out.shape[1], out.shape[-1])))
    encoded = net.encoder(torch.empty(1, 3, 1024, 1024, device="meta"))
    assert [(f.shape[1], f.shape[-1]) for f in encoded[-4:]] == [(64, 256), (128, 128), (256, 64), (512, 64)]
    assert net(torch.empty(1, 3, 1024, 1024, dtype=torch.uint8, device="meta")).shape == (1, 2, 1024, 1024)
    assert found[:5] == [(512, 64), (256, 64), (128, 128), (64, 256), (64, 512)]
    assert [found[5], found[7], found[9]] == [(32, 1024), (32, 1024), (1, 1024)]


def test_the_last_stage_has_neither_stride_nor_dilation() -> None:
    net = as_released("pp_linknet")
    convolutions = [m for m in net.encoder.layer4.modules() if isinstance(m, nn.Conv2d)]
    assert {(c.stride, c.dilation) for c in convolutions} == {((1, 1), (1, 1))}
    assert {c.padding for c in convolutions if c.kernel_size == (3, 3)} == {(1, 1)}
    strided = as_released("d_linknet")
    assert max(m.stride for m in strided.encoder.layer4.modules() if isinstance(m, nn.Conv2d)) == (2, 2)


@pytest.mark.parametrize("encoder", [SMALL, "efficientnet-b0"])
def test_an_encoder_without_dilation_equals_the_strided_one_on_its_own_grid(encoder: str) -> None:
    torch.manual_seed(1)
    ours, _ = create_encoder(encoder, in_channels=4, weights=None, output_stride=16)
    remove_dilation(ours)
    strided, _ = create_encoder(encoder, in_channels=4, weights=None, output_stride=32)
    strided.load_state_dict(ours.state_dict())
    x = torch.randn(1, 4, 64, 64)
    with torch.no_grad():
        dense, coarse = ours.eval()(x), strided.eval()(x)
    assert all(torch.equal(a, b) for a, b in zip(dense[:-1], coarse[:-1], strict=True))
    assert (dense[-1].shape[-1], coarse[-1].shape[-1]) == (4, 2)
    assert dense[-1].shape[1] == coarse[-1].shape[1]


def test_the_layers_are_those_of_the_table() -> None:
    """Without bias, normalisation or ReLU: the pyramid's branches. With bias: everything behind the body."""
    net = as_released("pp_linknet")
    assert [b.bias for b in net.centre.branches] == [None] * 4
    behind = [m for part in (net.decoders, net.head) for m in part.modules()]
    convolutions = [m for m in behind if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == 15
    assert all(m.bias is not None for m in [*convolutions, net.centre.merge])
    assert [m.stride for m in convolutions if isinstance(m, nn.ConvTranspose2d)] == [(1, 1), *[(2, 2)] * 4]
    assert [type(m).__name__ for m in net.head] == ["ConvTranspose2d", "ReLU", "Conv2d", "ReLU", "Conv2d"]


def test_the_pyramid_is_pooled_reduced_resized_and_mixed_before_the_map() -> None:
    torch.manual_seed(0)
    pyramid, x = PyramidPooling(8), torch.randn(2, 8, 12, 6)
    parts = []
    for bins, branch in zip((1, 2, 3, 6), pyramid.branches, strict=True):
        cells = x.reshape(2, 8, bins, 12 // bins, bins, 6 // bins).mean((3, 5))
        reduced = torch.einsum("oc,bchw->bohw", branch.get_parameter("weight")[:, :, 0, 0], cells)
        parts.append(F.interpolate(reduced, (12, 6), mode="bilinear", align_corners=False))
    expected = pyramid.merge(torch.cat([*parts, x], dim=1)).clamp_min(0)
    assert torch.allclose(pyramid(x), expected, atol=1e-5)


def test_skips_are_added() -> None:
    net = build("pp_linknet").eval()
    assert isinstance(net, PpLinkNet)
    x = pixels(1, 4, 64, 64)
    with torch.no_grad():
        *skips, deepest = net.encoder(net.normalise(x))[-4:]
        d4 = net.decoders[0](net.centre(deepest)) + skips[2]
        d3 = net.decoders[1](d4) + skips[1]
        d2 = net.decoders[2](d3) + skips[0]
        z = net.head(net.decoders[3](d2))
        logits, features = net.forward_features(x)
    assert torch.equal(features["decoder"], d2)
    assert torch.equal(logits[:, 1:], z)
    assert torch.allclose(logits.softmax(1)[:, 1:], z.sigmoid(), atol=1e-6)


@pytest.mark.parametrize(("stride", "side"), [(1, 5), (2, 10)])
def test_a_decoder_keeps_or_doubles_the_size(stride: int, side: int) -> None:
    assert LinkDecoder(16, 4, stride=stride)(torch.randn(1, 16, 5, 5)).shape == (1, 4, side, side)


@pytest.mark.parametrize("kind", KINDS)
def test_the_input_is_padded_by_reflection_half_on_each_side(kind: str) -> None:
    net = build(kind, contours=True).eval()
    x = pixels(1, 4, 70, 96)
    centred = (x.float() - net.input_mean) / net.input_std
    expected = F.pad(centred, (0, 0, 13, 13), mode="reflect")
    assert torch.allclose(net.normalise(x), expected)
    assert torch.equal(expected[..., 12, :], centred[..., 1, :]), "the edge pixel is not repeated"
    with torch.no_grad():
        maps = net.forward_maps(x)
        padded = net.forward_maps(F.pad(x.float(), (0, 0, 13, 13), mode="reflect"))
    assert maps.logits.shape == (1, 2, 70, 96)
    assert torch.allclose(maps.logits, padded.logits[..., 13:-13, :], atol=1e-5)
    assert torch.allclose(maps.contours, padded.contours[..., 13:-13, :], atol=1e-5)


def test_an_image_too_small_to_reflect_has_its_edge_repeated() -> None:
    net = build("pp_linknet").eval()
    x = pixels(1, 4, 7, 9)
    assert net(x).shape == (1, 2, 7, 9)
    assert torch.equal(net.normalise(x)[..., 0, 11:20], net.normalise(x)[..., 12, 11:20])


def test_four_bands_start_as_the_three_colours_they_are() -> None:
    """The filters follow colour: B, R, R, G gives what R, G, B gives (reference 2.9)."""
    torch.manual_seed(0)
    three, _ = create_encoder("resnet18", in_channels=3, weights=None, output_stride=16)
    four, _ = create_encoder("resnet18", in_channels=4, weights=None, output_stride=16)
    state = three.state_dict()
    # As smp adapts pretrained filters: R, G, B, R, scaled by 3/4.
    cycled = state["conv1.weight"][:, [0, 1, 2, 0]] * 0.75
    four.load_state_dict({**state, "conv1.weight": cycled})
    follow_colours(four)
    rgb = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected, found = three.eval()(rgb), four.eval()(rgb[:, [2, 0, 0, 1]])
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(expected[1:], found[1:], strict=True))


@pytest.mark.parametrize(
    ("kind", "encoder"),
    [("pp_linknet", SMALL), ("pp_linknet", "resnet18"), ("d_linknet", SMALL), ("linknet", "efficientnet-b0")],
)
def test_any_encoder_any_size_every_parameter_used(kind: str, encoder: str) -> None:
    net = build(kind, encoder, contours=True).train()
    maps = net.forward_maps(pixels(2, 4, 72, 100))
    assert maps.logits.shape == (2, 2, 72, 100)
    assert maps.contours.shape == (2, 3, 72, 100)
    torch.autograd.backward(maps.logits.square().sum() + maps.contours.square().sum())
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip_as_an_optical_teacher(kind: str, tmp_path: Path) -> None:
    net = build(kind, contours=True, modality="optical")
    net(pixels(2, 4, 64, 64))
    save_bundle(tmp_path / "model", net, {})
    loaded = load_bundle(tmp_path / "model", modality="optical")
    x = pixels(1, 4, 64, 64)
    assert torch.equal(net.predict(x, "a"), loaded.predict(x, "a"))


def batch(step: int) -> dict[str, Any]:
    """Crops whose bright squares are buildings."""
    side = 32
    target = torch.zeros(2, side, side, 1, dtype=torch.uint8)
    target[:, 8 + step % 4 : 20, 6:22] = 1
    images = pixels(2, side, side, 4, seed=step) // 4 + target * 150
    return {"optical": images.numpy(), "sar": images.numpy(), "target": target.numpy()}


class KilledError(Exception):
    """Stands for whatever ends a process."""


def dying_batch(step: int) -> dict[str, Any]:
    if step == 7:
        raise KilledError
    return batch(step)


def trained(kind: str, folder: Path, batches: Any = batch) -> tuple[dict[str, Tensor], FitResult]:
    net = build(kind, modality="optical", contours=True)
    settings = parameters(
        contour_weight=0.5,
        lr=1e-3,
        schedule="plain",
        warmup_share=0.0,
        average_share=None,
        checkpoint_every=4,
        log_every=1,
    )
    task = load_teacher(kind).task(net, settings)
    assert isinstance(task, FocalTask)
    result = fit(task, batches, settings, 10, name=kind, checkpoint_dir=folder)
    return net.state_dict(), result


@pytest.mark.parametrize("kind", ["pp_linknet", "linknet"])
def test_training_learns_and_resumed_equals_undisturbed_bit_for_bit(kind: str, tmp_path: Path) -> None:
    undisturbed, result = trained(kind, tmp_path / "a")
    with pytest.raises(KilledError):
        trained(kind, tmp_path / "b", dying_batch)
    resumed, second = trained(kind, tmp_path / "b")
    assert (result.resumed_from, second.resumed_from) == (0, 4)
    assert all(torch.equal(value, resumed[name]) for name, value in undisturbed.items())
    assert second.history == result.history
    assert result.history[0].keys() == {"step", "lr", "loss", "focal", "contours"}
    assert result.history[-1]["focal"] < result.history[0]["focal"]
    assert result.history[5]["lr"] == pytest.approx(1e-3 * 0.5**0.9), "poly, power 0.9"


def test_the_method_trains_on_radar_with_the_same_loss() -> None:
    method = load_method("pp_linknet")
    assert method.layers == ("sar", "target")
    assert method.supervision is load_teacher("pp_linknet").supervision is FocalTask  # type: ignore[attr-defined]
    net = build("pp_linknet").eval()
    arrays = {name: torch.from_numpy(array).permute(0, 3, 1, 2) for name, array in batch(0).items()}
    arrays["target"] = arrays["target"].repeat(1, 3, 1, 1)
    losses = FocalTask(net).losses(arrays)
    drawn = net(arrays["sar"])[:, 1]
    assert isinstance(net, LinkNetwork)
    assert losses["loss"].item() == pytest.approx(RELEASED.loss(drawn, arrays["target"][:, 0]).item())
