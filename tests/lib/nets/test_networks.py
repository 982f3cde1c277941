from __future__ import annotations

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from components.contract.errors import ParameterError
from components.lib.architectures.deeplab import DeepLab
from components.lib.architectures.two_branch import Branches, TwoBranchNetwork
from components.lib.config.scoring import ScoringSettings
from components.lib.engine.supervised import contour_term
from components.lib.geo.geoarray import GeoArray, PixelTransform
from components.lib.inference.tiles import predict_images
from components.lib.losses.contours import contour_loss
from components.lib.losses.segmentation import data_mask
from components.lib.nets.atrous import AtrousDepthwise
from components.lib.nets.config import NetworkConfig, Output
from components.lib.nets.factory import build_network, reference_parameter_count
from components.lib.nets.network import SegmentationNetwork
from components.lib.tasks.buildings import BUILDINGS

SMALL = "timm-mobilenetv3_small_minimal_100"


def build(kind: str = "deeplabv3plus", encoder: str = SMALL, width: int = 32) -> SegmentationNetwork:
    torch.manual_seed(3)
    return build_network(NetworkConfig(kind=kind, encoder=encoder, decoder_channels=width, sensors=("a",)))


def pixels(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def parameters_of(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("encoder", "teacher", "student", "never_used"),
    [
        ("efficientnet-b3", 11_680_802, 22_775_203, 592_896),
        ("efficientnet-b4", 18_616_906, 36_328_167, 806_400),
    ],
)
def test_parameter_counts_are_the_references(
    encoder: str, teacher: int, student: int, never_used: int
) -> None:
    # docs/methods/distillation.md#student: 11.68 / 18.62 M and 22.78 / 36.33 M, tail included once.
    for kind, expected in (("deeplabv3plus", teacher), ("disoptnet", student)):
        net = build(kind, encoder, width=256)
        assert net.dropped_parameters == never_used
        assert parameters_of(net) + never_used == expected == reference_parameter_count(net)


def multiply_adds(net: SegmentationNetwork, side: int) -> float:
    """GMAC of one image, counted without computing anything."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval().to("meta")(torch.empty(1, 4, side, side, dtype=torch.uint8, device="meta"))
    return float(counter.get_total_flops()) / 2e9


def test_multiply_adds_are_the_references(monkeypatch: pytest.MonkeyPatch) -> None:
    # The reference counts products with padding as well.
    monkeypatch.setattr(AtrousDepthwise, "forward", nn.Conv2d.forward)
    # docs/methods/distillation.md#student; B3: teacher, student, student on 900 px (padded to 928), branch S.
    assert round(multiply_adds(build("deeplabv3plus", "efficientnet-b3", width=256), 512), 2) == 11.88
    student = build("disoptnet", "efficientnet-b3", width=256)
    assert round(multiply_adds(student, 512), 2) == 24.66
    assert round(multiply_adds(student, 900), 1) == 81.0
    student.config = student.config.model_copy(update={"output": "branch_s"})
    assert round(multiply_adds(student, 512), 2) == 11.94


def test_branch_s_alone_has_the_teachers_size() -> None:
    student = build("disoptnet", "efficientnet-b3", width=256)
    assert isinstance(student, TwoBranchNetwork)
    parts = (student.encoder, student.decoder_s, student.head_s)
    assert round((sum(map(parameters_of, parts)) + student.dropped_parameters) / 1e6, 2) == 11.68


def test_decoder_counts_are_the_references() -> None:
    student = build("disoptnet", "efficientnet-b3", width=256)
    assert isinstance(student, TwoBranchNetwork)
    assert parameters_of(student.decoder_s) == parameters_of(student.decoder_r) == 983_696  # 0.984 M


def test_feature_shapes_at_512() -> None:
    # Reference table 1.2, EfficientNet-B3.
    net = build("deeplabv3plus", "efficientnet-b3", width=256).eval()
    assert isinstance(net, DeepLab)
    with torch.no_grad():
        features = net.encoder(net.normalise(pixels(1, 4, 512, 512)))
        decoded = net.decoder(features)
        logits = net.head(decoded)
    assert [tuple(f.shape[1:]) for f in features] == [
        (4, 512, 512),
        (40, 256, 256),
        (32, 128, 128),
        (48, 64, 64),
        (136, 32, 32),
        (384, 32, 32),
    ]
    assert tuple(decoded.shape[1:]) == (256, 128, 128)
    assert tuple(logits.shape) == (1, 2, 512, 512)


def test_teacher_is_smps_deeplab() -> None:
    net = build(encoder="efficientnet-b0", width=64).eval()
    assert isinstance(net, DeepLab)
    theirs = smp.DeepLabV3Plus(
        "efficientnet-b0", encoder_weights=None, decoder_channels=64, in_channels=4, classes=2
    ).eval()
    theirs.encoder.load_state_dict(net.encoder.state_dict(), strict=False)
    theirs.decoder.load_state_dict(net.decoder.state_dict())
    theirs.segmentation_head.load_state_dict(net.head.state_dict())
    x = pixels(2, 4, 64, 64)
    with torch.no_grad():
        assert torch.equal(net(x), theirs((x.float() - 127.5) / 31.875))


@pytest.mark.parametrize(
    ("encoder", "first4", "blocks4", "blocks5"),
    [("efficientnet-b3", 8, 10, 8), ("efficientnet-b4", 10, 12, 10)],
)
def test_branch_r_continues_the_block_index(encoder: str, first4: int, blocks4: int, blocks5: int) -> None:
    net = build("disoptnet", encoder, width=32)
    assert isinstance(net, TwoBranchNetwork)
    total = first4 + blocks4 + blocks5
    rates = [0.2 * index / total for index in range(first4, total)]
    assert [*net.stage4_r.rates, *net.stage5_r.rates] == pytest.approx(rates)  # type: ignore[misc]
    assert len(net.stage4_r.rates) == blocks4  # type: ignore[arg-type]


def branches_of(net: SegmentationNetwork, x: Tensor) -> Branches:
    assert isinstance(net, TwoBranchNetwork)
    return net.forward_branches(x)


FORKING = ["efficientnet-b0", "resnet18", "mobilenet_v2", "mobileone_s0", "se_resnet50", "tu-resnet18", SMALL]


@pytest.mark.parametrize("encoder", FORKING)
def test_fork_shares_the_shallow_stages(encoder: str) -> None:
    net = build("disoptnet", encoder)
    assert isinstance(net, TwoBranchNetwork)
    # With the SAR encoder's own deep stages in branch R both branches must see the same features.
    from components.lib.nets.encoders import deep_stages  # noqa: PLC0415

    net.stage4_r, net.stage5_r = deep_stages(net.encoder, encoder, in_channels=4)
    net.decoder_r.load_state_dict(net.decoder_s.state_dict())
    net.head_r.load_state_dict(net.head_s.state_dict())
    net.eval()
    with torch.no_grad():
        branches = net.forward_branches(pixels(1, 4, 64, 96))
    assert torch.equal(branches.z_s, branches.z_r)
    assert branches.z_f.shape == (1, 2, 64, 96)
    assert branches.features["f4"].shape[-2:] == branches.features["f5"].shape[-2:] == (4, 6)
    assert branches.features["decoder"].shape == (1, 32, 16, 24)


@pytest.mark.parametrize("kind", ["deeplabv3plus", "disoptnet"])
@pytest.mark.parametrize("encoder", [SMALL, "efficientnet-b0", "timm-efficientnet-b0", "resnet18"])
def test_every_parameter_is_used(kind: str, encoder: str) -> None:
    # Distributed training fails on parameters without a gradient.
    net = build(kind, encoder).train()
    x = pixels(2, 4, 64, 64)
    if isinstance(net, TwoBranchNetwork):
        branches = net.forward_branches(x)
        torch.autograd.backward(branches.z_s.sum() + branches.z_r.sum() + branches.z_f.square().sum())
    else:
        torch.autograd.backward(net(x).sum())
    assert [name for name, p in net.named_parameters() if p.grad is None] == []


def test_branches_start_from_different_weights() -> None:
    net = build("disoptnet")
    assert isinstance(net, TwoBranchNetwork)
    own = dict(net.encoder.named_parameters())
    same = [
        name
        for name, p in net.stage4_r.named_parameters()
        for q in own.values()
        if p.ndim == 4 and p.shape == q.shape and torch.equal(p, q)
    ]
    assert same == []


@pytest.mark.parametrize("encoder", ["dpn68", "tu-convnext_atto"])
def test_encoder_that_cannot_fork_is_named(encoder: str) -> None:
    build("deeplabv3plus", encoder)
    with pytest.raises(ParameterError, match=encoder) as caught:
        build("disoptnet", encoder)
    assert "efficientnet" in caught.value.next_step


@pytest.mark.parametrize("kind", ["deeplabv3plus", "disoptnet"])
@pytest.mark.parametrize("side", [(64, 64), (45, 70), (31, 33)])
def test_any_size_comes_back(kind: str, side: tuple[int, int]) -> None:
    net = build(kind).eval()
    with torch.no_grad():
        assert net(pixels(1, 4, *side)).shape == (1, 2, *side)


def test_padding_is_no_data() -> None:
    net = build().eval()
    x = pixels(1, 4, 50, 60)
    padded = torch.zeros(1, 4, 64, 64, dtype=torch.uint8)
    padded[..., :50, :60] = x
    with torch.no_grad():
        assert torch.equal(net(x), net(padded)[..., :50, :60])


def test_input_scaling_is_the_references_and_no_data_stays_at_its_affine_value() -> None:
    net = build()
    x = torch.tensor([0, 1, 128, 255], dtype=torch.uint8).reshape(1, 1, 2, 2).repeat(1, 4, 16, 16)
    values = net.normalise(x)
    assert values[0, 0, 0, 0] == -4.0
    expected = torch.tensor([[-4.0, -126.5 / 31.875], [0.5 / 31.875, 4.0]])
    assert torch.allclose(values[0, :, :2, :2], expected.expand(4, 2, 2))
    assert not [key for key in net.state_dict() if key.startswith("input_")], "the config alone says it"


def test_branch_s_alone_is_the_first_branch() -> None:
    net = build("disoptnet").eval()
    cheap = build_network(net.config.model_copy(update={"output": "branch_s"})).eval()
    cheap.load_state_dict(net.state_dict())
    x = pixels(1, 4, 64, 64)
    with torch.no_grad():
        branches = branches_of(net, x)
        assert torch.equal(cheap(x), branches.z_s)
        assert torch.equal(net(x), branches.z_f)
        assert all(
            torch.equal(a, b)
            for a, b in zip(net.supervised_maps(x), (branches.z_s, branches.z_f), strict=True)
        )


def contoured_student(output: Output) -> TwoBranchNetwork:
    """A student whose untrained contour heads draw some buildings, in evaluation mode."""
    torch.manual_seed(3)
    net = build_network(
        NetworkConfig(
            kind="disoptnet", encoder=SMALL, decoder_channels=32, sensors=("a",), output=output, contours=True
        )
    )
    assert isinstance(net, TwoBranchNetwork)
    net.eval()
    with torch.no_grad():
        for head, drawn in zip(
            (net.contour_head_s, net.contour_head_f), net.supervised(IMAGE).contours, strict=True
        ):
            assert head is not None
            convolution = next(m for m in head.modules() if isinstance(m, nn.Conv2d))
            assert convolution.bias is not None
            footprint = drawn[:, 0]
            scale = 3 / footprint.std()
            convolution.weight *= scale
            convolution.bias.copy_(torch.tensor([-(footprint.mean() * scale), -9.0, -9.0]))
    return net


IMAGE = pixels(1, 4, 96, 96)


def polygons_of(net: TwoBranchNetwork) -> list[str]:
    place = PixelTransform.north_up(x_left_m=0.0, y_top_m=48.0, gsd_m=0.5)
    image = GeoArray(
        values=IMAGE[0].numpy(),
        bands=("HH", "HV", "VH", "VV"),
        valid=np.ones((96, 96), dtype=bool),
        transform=place,
        crs="EPSG:32631",
        sensor="a",
        orientation=0,
    )
    (prediction,) = predict_images(net, [image])
    settings = ScoringSettings(vectorise="watershed", min_area_px=20, min_seed_px=10)
    assert BUILDINGS.vectoriser(prediction, settings) == "watershed"
    return [polygon.wkt for polygon in BUILDINGS.draw(prediction, settings, 0.5).geometries]


@pytest.mark.parametrize(("output", "moved"), [("fused", True), ("branch_s", False)])
def test_branch_r_is_seen_by_the_polygons_of_the_fusion_and_by_no_others(output: Output, moved: bool) -> None:
    net = contoured_student(output)
    before = polygons_of(net)
    with torch.no_grad():
        contours = net.forward_maps(IMAGE).contours
        for parameter in net.decoder_r.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
        changed = net.forward_maps(IMAGE).contours
    assert contours is not None
    assert changed is not None
    assert torch.equal(contours, changed) is not moved
    assert before
    assert (polygons_of(net) != before) is moved


def test_both_contour_heads_are_trained_at_the_weight_of_one() -> None:
    net = contoured_student("fused").train()
    target = pixels(1, 3, 96, 96) > 128
    contours = net.supervised(IMAGE.repeat(2, 1, 1, 1)).contours
    both, image = target.repeat(2, 1, 1, 1), IMAGE.repeat(2, 1, 1, 1)
    term = contour_term(contours, both, image, 0.5)["contours"]
    first, second = (contour_loss(drawn, both, weight=data_mask(image)) for drawn in contours)
    assert term.item() == pytest.approx(0.5 * (first.item() + second.item()) / 2, rel=1e-6)
    torch.autograd.backward(term)
    for part in (net.contour_head_s, net.contour_head_f, net.fusion, net.decoder_r):
        assert part is not None
        assert all(parameter.grad is not None for parameter in part.parameters())


def test_predict_restores_the_mode_and_refuses_unknown_sensors() -> None:
    net = build().train()
    x = pixels(1, 4, 64, 64)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    logits = net.predict(x, "a")
    assert net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    with torch.no_grad():
        assert torch.equal(logits, net.eval()(x))
    with pytest.raises(ParameterError, match=r"'b'; it knows a"):
        net.predict(x, "b")


def test_same_seed_same_network() -> None:
    first, second = build("disoptnet").state_dict(), build("disoptnet").state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sensors": ()},
        {"sensors": ("a", "a"), "sensor_specific": True},
        {"sensors": ("a", "b")},
        {"in_channels": 3},
        {"input_std": (1.0, 0.0, 1.0, 1.0)},
        {"decoder_channels": 8},
        {"shape": 1},
    ],
)
def test_impossible_configurations_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        NetworkConfig.model_validate({"kind": "disoptnet", "encoder": SMALL, "sensors": ("a",), **wrong})
