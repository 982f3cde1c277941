"""One stem per sensor, chosen with the statistics: tests of sensor-specific statistics, again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from components.contract.errors import ParameterError
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig, Stems
from components.lib.nets.csn import convert_to_csn, copy_sensor, reestimate_statistics
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from components.lib.nets.sensorset import SensorSet, sensor_layers, use_sensor
from components.lib.nets.stems import SensorStem, split_stem

AIR, SPACE = "airborne", "spaceborne"
SMALL = "timm-mobilenetv3_small_minimal_100"


def build(
    kind: str = "semantic_fpn", encoder: str = SMALL, stems: Stems = "per_sensor"
) -> SegmentationNetwork:
    torch.manual_seed(3)
    return build_network(
        NetworkConfig(kind=kind, encoder=encoder, decoder_channels=16, sensors=(AIR,), stems=stems)
    )


def both(kind: str = "semantic_fpn", encoder: str = SMALL) -> SegmentationNetwork:
    return convert_to_csn(build(kind, encoder), [AIR, SPACE], momentum=0.1)


def pixels(seed: int = 0, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, 4, 64, 64), generator=generator, dtype=torch.uint8)


def stem_of(net: nn.Module) -> SensorStem:
    [stem] = [layer for layer in sensor_layers(net) if isinstance(layer, SensorStem)]
    return stem


def kernels(net: nn.Module) -> list[Tensor]:
    weights = [convolution.weight for convolution in stem_of(net).convolutions]
    assert all(isinstance(weight, Tensor) for weight in weights)
    return weights  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["deeplabv3plus", "disoptnet", "semantic_fpn", "dmsd", "hfd_reading"])
def test_conversion_changes_nothing_yet(kind: str) -> None:
    net = build(kind).eval()
    with torch.no_grad():
        expected = net(pixels())
    parameters = sum(p.numel() for p in net.parameters())
    convert_to_csn(net, [AIR, SPACE])
    assert net.config.sensors == (AIR, SPACE)
    for sensor in (AIR, SPACE):
        assert torch.equal(net.predict(pixels(), sensor), expected)
    assert sum(p.numel() for p in net.parameters()) == parameters + kernels(net)[0].numel()


@pytest.mark.parametrize(
    ("encoder", "stems"),
    [("efficientnet-b0", 1), ("resnet18", 1), ("mobilenet_v2", 1), ("tu-resnet18", 1), ("mobileone_s0", 2)],
)
def test_the_convolutions_that_read_the_image_are_found(encoder: str, stems: int) -> None:
    net = build("deeplabv3plus", encoder)
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    split_stem(net.encoder, 4, SensorSet([AIR, SPACE]))  # type: ignore[arg-type]
    assert sum(isinstance(m, SensorStem) for m in net.modules()) == stems
    assert all(m.training for m in net.modules()), "the probe leaves the mode alone"
    for name, value in net.named_buffers():
        assert torch.equal(value, buffers[name]), "and the statistics"


def test_shared_stems_are_the_ablation() -> None:
    net = convert_to_csn(build(stems="shared"), [AIR, SPACE])
    assert not any(isinstance(layer, SensorStem) for layer in sensor_layers(net))


def test_a_target_pass_gives_the_source_stem_no_gradient() -> None:
    net = both().train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    with use_sensor(net, SPACE):
        torch.autograd.backward(net(pixels()).square().mean())
    air, space = kernels(net)
    assert air.grad is None
    assert space.grad is not None
    assert space.grad.abs().sum() > 0
    rows = [n for n in state if n.endswith("running_mean") and state[n].ndim == 2]
    for name in rows:
        assert torch.equal(net.state_dict()[name][0], state[name][0])


def test_equal_data_through_equal_stems_is_one_shared_stem() -> None:
    shared = build(stems="shared").train()
    net = both().train()
    for seed in range(2):
        expected = shared(pixels(seed))
        for sensor in (AIR, SPACE):
            with use_sensor(net, sensor):
                assert torch.equal(net(pixels(seed)), expected)


def test_shared_layers_get_both_gradients_each_stem_its_own() -> None:
    net = both().train()
    separate: dict[str, Tensor] = {}
    for sensor, seed in ((AIR, 1), (SPACE, 2)):
        with use_sensor(net, sensor):
            torch.autograd.backward(net(pixels(seed)).square().mean())
        for name, p in net.named_parameters():
            if p.grad is not None:
                separate[name] = separate.get(name, torch.zeros_like(p)) + p.grad
        net.zero_grad()
    with use_sensor(net, AIR):
        source = net(pixels(1)).square().mean()
    with use_sensor(net, SPACE):
        target = net(pixels(2)).square().mean()
    torch.autograd.backward(source + target)
    for name, p in net.named_parameters():
        assert p.grad is not None
        assert torch.allclose(p.grad, separate[name], rtol=1e-3, atol=1e-6), name


def test_the_choice_decides_the_stem_and_a_copy_takes_it_back() -> None:
    net = both().eval()
    with torch.no_grad():
        kernels(net)[1].mul_(1.5)
    assert not torch.equal(net.predict(pixels(), AIR), net.predict(pixels(), SPACE))
    copy_sensor(net, source=AIR, target=SPACE)
    assert torch.equal(*kernels(net))
    assert torch.equal(net.predict(pixels(), AIR), net.predict(pixels(), SPACE))
    with pytest.raises(ParameterError, match="which sensor"):
        net(pixels())


def test_reestimated_statistics_go_through_the_sensors_own_stem() -> None:
    net = both()
    with torch.no_grad():
        kernels(net)[1].mul_(2.0)
    reestimate_statistics(net, SPACE, [pixels(4), pixels(5)])
    first = next(layer for layer in sensor_layers(net) if not isinstance(layer, SensorStem))
    with torch.no_grad():
        seen = stem_of(net).convolutions[1](net.normalise(torch.cat([pixels(4), pixels(5)])))
    mean = first.running_mean
    assert isinstance(mean, Tensor)
    assert torch.allclose(mean[1], seen.mean((0, 2, 3)), atol=1e-4)


def test_a_third_sensor_keeps_the_first_two() -> None:
    net = both()
    with torch.no_grad():
        kernels(net)[1].mul_(2.0)
    air, space = (weight.clone() for weight in kernels(net))
    convert_to_csn(net, [SPACE, AIR, "third"])
    assert [torch.equal(a, b) for a, b in zip(kernels(net), (space, air, air), strict=True)] == [True] * 3


def test_the_exported_network_knows_its_sensors_and_refuses_others(tmp_path: Path) -> None:
    net = both()
    with torch.no_grad():
        kernels(net)[1].mul_(1.5)
    save_bundle(tmp_path / "model", net, {})
    loaded = load_bundle(tmp_path / "model")
    assert loaded.config.stems == "per_sensor"
    for sensor in (AIR, SPACE):
        assert torch.equal(loaded.predict(pixels(), sensor), net.predict(pixels(), sensor))
    with pytest.raises(ParameterError, match="'lunar'; it knows airborne, spaceborne"):
        loaded.predict(pixels(), "lunar")


def test_an_encoder_without_a_first_convolution_is_refused() -> None:
    with pytest.raises(ParameterError, match="no first convolution"):
        split_stem(nn.Sequential(nn.Identity(), nn.AvgPool2d(2), nn.Conv2d(4, 2, 1)), 4, SensorSet([AIR]))
