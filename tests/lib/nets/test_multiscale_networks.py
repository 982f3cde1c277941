"""Semantic-FPN, the dense multi-scale decoder, and our reading of HFD-Net."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

from components.lib.methods.dmsd import DenseMultiScaleNetwork, DenseNode
from components.lib.methods.hfd_reading import (
    HFD_FEATURES,
    FeatureAdapters,
    FlowAlignment,
    HfdReading,
    PlainAlignment,
    warp,
)
from components.lib.methods.semantic_fpn import STRIDES, FeaturePyramid, SemanticFPN
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.singlemap import SingleMapNetwork

SMALL = "timm-mobilenetv3_small_minimal_100"
KINDS: tuple[str, ...] = ("semantic_fpn", "dmsd", "hfd_reading")
AS_RELEASED = {
    "encoder": "resnet50",
    "in_channels": 3,
    "classes": 4,
    "input_mean": (123.675, 116.28, 103.53),
    "input_std": (58.395, 57.12, 57.375),
}


def build(kind: str, encoder: str = SMALL, **options: Any) -> SegmentationNetwork:
    torch.manual_seed(3)
    config = {"decoder_channels": 32, "sensors": ("a",), **options}
    return build_network(NetworkConfig(kind=kind, encoder=encoder, **config))


def counted(kind: str, **options: Any) -> Any:
    """A network without memory: for counting alone."""
    with torch.device("meta"):
        return build(kind, decoder_channels=256, **options)


def parameters_of(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def norms_of(module: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in module.modules())


def gmac(net: nn.Module, bands: int) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.empty(1, bands, 512, 512, dtype=torch.uint8, device="meta"))
    return float(counter.get_total_flops()) / 2e9


def pixels(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def test_semantic_fpn_counts_are_the_references() -> None:
    # docs/methods/adaptation.md#semantic-fpn, to the digit.
    net = counted("semantic_fpn", **AS_RELEASED)
    assert isinstance(net, SemanticFPN)
    parts = {"encoder": net.encoder, "fpn": net.pyramid, "decoder": net.decoder, "head": net.head}
    assert {name: parameters_of(part) for name, part in parts.items()} == {
        "encoder": 23_508_032,
        "fpn": 3_348_480,
        "decoder": 1_623_808,
        "head": 516,
    }
    assert parameters_of(net) == 28_480_836
    assert norms_of(net) == 68
    # 44.17 in the reference, whose counter adds normalisation and resizing; here convolutions alone.
    assert gmac(net, 3) == pytest.approx(44.17, rel=0.005)


def test_dense_decoder_counts_follow_from_its_description() -> None:
    # docs/methods/adaptation.md#dmsd, node operators ours, width 128.
    net = counted("dmsd", **AS_RELEASED)
    assert isinstance(net, DenseMultiScaleNetwork)
    w = 128
    norm = 2 * w
    edge = 9 * w + w * w + norm
    node = 9 * w * w + norm
    first = (256 + 512 + 1024 + 2048) * w + 4 * norm
    assert parameters_of(net.decoder) == first + (16 + 32) * edge + 8 * node
    assert parameters_of(net.heads) == 4 * (w + 1) * 4
    assert parameters_of(net) == 23_508_032 + parameters_of(net.decoder) + parameters_of(net.heads)
    assert [len(n.edges) for n in net.decoder.second if isinstance(n, DenseNode)] == [4] * 4
    assert [len(n.edges) for n in net.decoder.third if isinstance(n, DenseNode)] == [8] * 4


@pytest.mark.parametrize(("alignment", "total"), [("flow", 29_181_070), ("add", 28_627_586)])
def test_hfd_reading_counts_follow_from_its_description(alignment: str, total: int) -> None:
    # docs/methods/distillation.md#hfd-net-our-reading: ResNet-50 with four bands, width 256, two classes.
    net = counted("hfd_reading", encoder="resnet50", alignment=alignment)
    w, channels = 256, (256, 512, 1024, 2048)
    laterals = sum(channels) * w + 4 * 2 * w
    smooth = 3 * (9 * w * w + 2 * w)
    merge = 9 * 4 * w * w + 2 * w
    head = 2 * w + 2
    guides = [*channels[:3], w, w, w]
    flows = sum((g + 1) * 128 + (w + 1) * 128 + 9 * 256 * 2 + 2 for g in guides)
    encoder = 23_508_032 + 64 * 49
    expected = encoder + laterals + smooth + merge + head + (flows if alignment == "flow" else 0)
    assert parameters_of(net) == expected == total
    assert norms_of(net) == 53 + 4 + 3 + 1


def test_hfd_feature_shapes_at_512() -> None:
    # docs/methods/distillation.md#hfd-net-our-reading: C5 is dilated, A is 256x128x128.
    net = counted("hfd_reading", encoder="resnet50")
    assert isinstance(net, HfdReading)
    net.eval()
    x = torch.empty(1, 4, 512, 512, dtype=torch.uint8, device="meta")
    encoded = net.encoder(net.normalise(x))
    assert [tuple(f.shape[1:]) for f in encoded[2:]] == [
        (256, 128, 128),
        (512, 64, 64),
        (1024, 32, 32),
        (2048, 32, 32),
    ]
    logits, features = net.forward_features(x)
    assert tuple(logits.shape) == (1, 2, 512, 512)
    assert tuple(features) == HFD_FEATURES
    assert [features[k].shape[1:] for k in HFD_FEATURES] == [
        (256, side, side) for side in (128, 64, 32, 32, 128)
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoder", [SMALL, "resnet18", "efficientnet-b0"])
def test_any_encoder_any_size_every_parameter_used(kind: str, encoder: str) -> None:
    net = build(kind, encoder, contours=True).train()
    maps = net.forward_maps(pixels(2, 4, 72, 100))
    assert maps.contours is not None
    assert maps.logits.shape == (2, 2, 72, 100)
    assert maps.contours.shape == (2, 3, 72, 100)
    torch.autograd.backward(maps.logits.square().sum() + maps.contours.square().sum())
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: str, tmp_path: Path) -> None:
    net = build(kind, contours=True, alignment="add")
    net(pixels(2, 4, 64, 64))
    save_bundle(tmp_path / "model", net, {})
    loaded = load_bundle(tmp_path / "model")
    assert loaded.config == net.config
    for ours, theirs in zip(
        net.predict_maps(pixels(1, 4, 64, 64), "a"),
        loaded.predict_maps(pixels(1, 4, 64, 64), "a"),
        strict=True,
    ):
        assert ours is not None
        assert theirs is not None
        assert torch.equal(ours, theirs)


def test_pyramid_adds_the_coarser_levels_by_nearest_neighbour() -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid([3, 4, 5, 6], 8).eval()
    features = [torch.randn(1, c, 64 // s, 64 // s) for c, s in zip((3, 4, 5, 6), STRIDES, strict=True)]
    levels = [lateral(f) for lateral, f in zip(pyramid.laterals, features, strict=True)]
    expected = levels[0]
    for level, factor in zip(levels[1:], (2, 4, 8), strict=True):
        expected = expected + level.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    assert torch.allclose(pyramid(features)[0], pyramid.outputs[0](expected), atol=1e-5)
    assert all(m.bias is not None for m in pyramid.modules() if isinstance(m, nn.Conv2d))
    assert not any(isinstance(m, nn.ReLU) for m in pyramid.modules())


def test_asymmetric_decoder_blocks() -> None:
    net = counted("semantic_fpn", **AS_RELEASED)
    assert isinstance(net, SemanticFPN)
    blocks = [[type(m).__name__ for m in path.children()] for path in net.decoder.paths]
    # One block without upsampling at stride 4, then log2(s / 4) blocks with it.
    assert blocks == [["Sequential"], *([["Sequential", "Upsample"] * n for n in (1, 2, 3)])]
    assert all(m.align_corners for m in net.decoder.modules() if isinstance(m, nn.Upsample))


def test_dense_logits_are_the_sum_over_scales() -> None:
    net = build("dmsd").eval()
    assert isinstance(net, DenseMultiScaleNetwork)
    x = pixels(1, 4, 64, 64)
    with torch.no_grad():
        nodes = net.decoder(net.encoder(net.normalise(x))[-4:])
        assert [n.shape[-1] for n in nodes] == [64 // s for s in STRIDES]
        maps = [
            F.interpolate(head(node), (64, 64), mode="bilinear")
            for head, node in zip(net.heads, nodes, strict=True)
        ]
        assert torch.allclose(net(x), torch.stack(maps).sum(0), atol=1e-6)


def test_every_column_three_node_hears_every_scale() -> None:
    net = build("dmsd")
    assert isinstance(net, DenseMultiScaleNetwork)
    features = [torch.randn(2, c, 32 // i, 32 // i, requires_grad=True) for i, c in
                zip((1, 2, 4, 8), net.encoder.out_channels[-4:], strict=True)]  # fmt: skip
    for node in net.decoder(features):
        gradients = torch.autograd.grad(node.square().sum(), features, retain_graph=True)
        assert all(g.abs().sum() > 0 for g in gradients)


def test_untrained_flow_is_plain_upsampling() -> None:
    torch.manual_seed(1)
    guide, coarse = torch.randn(2, 6, 12, 10), torch.randn(2, 8, 6, 5)
    assert torch.allclose(FlowAlignment(6, 8)(guide, coarse), PlainAlignment()(guide, coarse), atol=1e-5)


def test_warp_moves_by_whole_pixels_and_keeps_the_border() -> None:
    features = torch.arange(20.0).reshape(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0] = 1
    expected = torch.cat([features[..., 1:], features[..., -1:]], dim=-1)
    assert torch.allclose(warp(features, flow), expected, atol=1e-5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 1] = -1
    expected = torch.cat([features[:, :, :1], features[:, :, :-1]], dim=2)
    assert torch.allclose(warp(features, flow), expected, atol=1e-5)


def test_flow_learns_a_shift() -> None:
    # The guide shows what the coarse map shows, two pixels further right: the flow must find that out.
    torch.manual_seed(0)
    coarse = F.avg_pool2d(torch.randn(4, 8, 20, 20), 5, 1, 2) * 4
    guide = torch.roll(coarse, 2, dims=3)
    align = FlowAlignment(8, 8)
    optimiser = torch.optim.Adam(align.parameters(), lr=0.02)
    inside = (..., slice(2, -2), slice(4, -4))
    losses = []
    for _ in range(60):
        loss = F.mse_loss(align(guide, coarse)[inside], guide[inside])
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_adapters_are_the_references() -> None:
    adapters = FeatureAdapters(dict.fromkeys(HFD_FEATURES, 256))
    # Conv1x1 without bias, BN, ReLU, Conv3x3 with bias, 256 to 256, five times.
    assert parameters_of(adapters) == 5 * (256 * 256 + 2 * 256 + 9 * 256 * 256 + 256)
    small = FeatureAdapters({"p2": 8, "decoder": 8})
    out = small({"p2": torch.randn(2, 8, 4, 4), "decoder": torch.randn(2, 8, 6, 6), "p3": torch.randn(1)})
    assert {name: tuple(value.shape) for name, value in out.items()} == {
        "p2": (2, 8, 4, 4),
        "decoder": (2, 8, 6, 6),
    }


@pytest.mark.parametrize("kind", ["deeplabv3plus", "disoptnet", *KINDS])
def test_contours_leave_the_class_map_alone(kind: str) -> None:
    plain, with_contours = build(kind).eval(), build(kind, contours=True).eval()
    x = pixels(1, 4, 64, 64)
    with torch.no_grad():
        assert torch.equal(plain(x), with_contours(x)), "same seed, same weights before the extra head"
    assert plain.forward_maps(x).contours is None
    assert plain.supervised(x).contours == ()
    supervised = with_contours.supervised(x)
    assert len(supervised.contours) == len(supervised.logits)
    assert torch.equal(supervised.contours[-1], with_contours.predict_maps(x, "a").contours)  # type: ignore[arg-type]
    assert len(supervised.logits) == len(with_contours.supervised_maps(x))
    if isinstance(with_contours, SingleMapNetwork):
        assert isinstance(with_contours.contour_head, nn.Module)


@pytest.mark.parametrize("output", ["fused", "branch_s"])
def test_deployed_contours_are_those_of_the_deployed_map(output: str) -> None:
    net = build("disoptnet", contours=True, output=output).eval()
    x = pixels(1, 4, 64, 64)
    with torch.no_grad():
        maps, supervised = net.forward_maps(x), net.supervised(x)
    deployed = 1 if output == "fused" else 0
    assert maps.contours is not None
    assert torch.equal(maps.contours, supervised.contours[deployed])
    assert not torch.equal(maps.contours, supervised.contours[1 - deployed])
    assert torch.equal(maps.logits, supervised.logits[deployed])
