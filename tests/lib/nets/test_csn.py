from __future__ import annotations

import copy
from contextvars import Context

import pytest
import torch
from torch import Tensor, nn

from components.contract.errors import ParameterError
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import SensorNorm2d, convert_to_csn, copy_sensor, reestimate_statistics
from components.lib.nets.factory import build_network
from components.lib.nets.sensorset import use_sensor

AIR, SPACE = "airborne", "spaceborne"


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 2, 1))
    norm = net[1]
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias, -0.5, 0.5)
    for _ in range(3):
        net(torch.randn(2, 4, 8, 8))
    return net


def images(seed: int, gain: float = 1.0, offset: float = 0.0) -> Tensor:
    return torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) * gain + offset


def norm_of(net: nn.Module) -> SensorNorm2d:
    return next(m for m in net.modules() if isinstance(m, SensorNorm2d))


def test_a_target_pass_leaves_the_source_untouched_bit_for_bit() -> None:
    net = convert_to_csn(plain(), [AIR, SPACE]).train()
    norm = norm_of(net)
    mean, var = norm.running_mean.clone(), norm.running_var.clone()
    with use_sensor(net, SPACE):
        net(images(1, 3.0, 2.0))
    assert torch.equal(norm.running_mean[0], mean[0])
    assert torch.equal(norm.running_var[0], var[0])
    assert not torch.equal(norm.running_mean[1], mean[1])
    assert not torch.equal(norm.running_var[1], var[1])


def test_with_the_same_data_for_both_it_is_batch_normalisation() -> None:
    ordinary = plain().train()
    net = convert_to_csn(copy.deepcopy(ordinary), [AIR, SPACE])
    for seed in range(3):
        expected = ordinary(images(seed))
        for sensor in (AIR, SPACE):
            with use_sensor(net, sensor):
                assert torch.equal(net(images(seed)), expected)
    ordinary.eval()
    net.eval()
    for sensor in (AIR, SPACE):
        with use_sensor(net, sensor):
            assert torch.equal(net(images(9)), ordinary(images(9)))


def test_update_rule_by_hand() -> None:
    net = nn.Sequential(nn.BatchNorm2d(4))
    convert_to_csn(net, [AIR, SPACE])
    x = images(5, 2.0, 1.0)
    with use_sensor(net, SPACE):
        net.train()(x)
    norm = norm_of(net)
    assert torch.allclose(norm.running_mean[1], 0.1 * x.mean((0, 2, 3)), atol=1e-6)
    unbiased = x.var((0, 2, 3), unbiased=True)
    assert torch.allclose(norm.running_var[1], 0.9 + 0.1 * unbiased, atol=1e-6)


def test_shared_affine_gets_the_sum_of_both_gradients() -> None:
    net = convert_to_csn(plain(), [AIR, SPACE]).train()
    norm = norm_of(net)
    separate = []
    for sensor, seed in ((AIR, 1), (SPACE, 2)):
        net.zero_grad()
        with use_sensor(net, sensor):
            torch.autograd.backward(net(images(seed)).square().mean())
        assert norm.weight.grad is not None
        assert norm.bias.grad is not None
        separate.append((norm.weight.grad.clone(), norm.bias.grad.clone()))
    net.zero_grad()
    with use_sensor(net, AIR):
        source = net(images(1)).square().mean()
    with use_sensor(net, SPACE):
        target = net(images(2)).square().mean()
    torch.autograd.backward(source + target)
    assert norm.weight.grad is not None
    assert norm.bias.grad is not None
    assert torch.allclose(norm.weight.grad, separate[0][0] + separate[1][0], rtol=1e-5, atol=1e-7)
    assert torch.allclose(norm.bias.grad, separate[0][1] + separate[1][1], rtol=1e-5, atol=1e-7)


def test_evaluation_differs_once_the_statistics_do() -> None:
    net = convert_to_csn(plain(), [AIR, SPACE])
    x = images(3)

    def outputs() -> list[Tensor]:
        maps = []
        for sensor in (AIR, SPACE):
            with use_sensor(net.eval(), sensor), torch.no_grad():
                maps.append(net(x))
        return maps

    assert torch.equal(*outputs()), "a new sensor starts from a copy"
    with use_sensor(net.train(), SPACE):
        net(images(4, 5.0, 3.0))
    assert not torch.equal(*outputs())
    copy_sensor(net, source=AIR, target=SPACE)
    assert torch.equal(*outputs())


def test_reestimated_statistics_are_the_average_over_the_batches() -> None:
    net = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))
    convert_to_csn(net, [AIR, SPACE], momentum=0.1)
    with use_sensor(net, SPACE):
        net.train()(images(8, 9.0, 9.0))
    net[2].eval()
    modes = [m.training for m in net.modules()]
    weights = {key: value.clone() for key, value in net.named_parameters()}
    batches = [images(seed, 2.0, 1.0) for seed in range(3)]
    reestimate_statistics(net, SPACE, iter(batches))
    norm = norm_of(net)
    mean = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    var = torch.stack([batch.var((0, 2, 3)) for batch in batches]).mean(0)
    assert torch.allclose(norm.running_mean[1], mean, atol=1e-6), "no dropout, no trace of what was before"
    assert torch.allclose(norm.running_var[1], var, rtol=1e-5)
    assert torch.equal(norm.running_mean[0], torch.zeros(4))
    assert [m.training for m in net.modules()] == modes
    assert norm.momentum == 0.1
    assert all(torch.equal(weights[key], value) for key, value in net.named_parameters())


def test_no_flag_is_left_behind() -> None:
    net = convert_to_csn(plain(), [AIR, SPACE]).eval()
    state = {key: value.clone() for key, value in net.state_dict().items()}
    with use_sensor(net, SPACE):
        net(images(1))
        with use_sensor(net, AIR):
            inner = net(images(1))
        again = net(images(1))
    assert torch.equal(inner, again), "statistics are still copies"
    with pytest.raises(ParameterError, match="which sensor"):
        net(images(1))
    with pytest.raises(RuntimeError, match="in the block"), use_sensor(net, SPACE):
        raise RuntimeError("in the block")
    with pytest.raises(ParameterError, match="which sensor"):
        net(images(1))
    assert all(torch.equal(state[key], value) for key, value in net.state_dict().items())


def test_the_choice_stays_in_its_own_context() -> None:
    net = convert_to_csn(plain(), [AIR, SPACE]).eval()
    with use_sensor(net, AIR), pytest.raises(ParameterError, match="which sensor"):
        Context().run(net, images(1))


def test_two_networks_choose_independently() -> None:
    first, second = (convert_to_csn(plain(), [AIR, SPACE]) for _ in range(2))
    for net in (first, second):
        with use_sensor(net.train(), SPACE):
            net(images(4, 5.0, 3.0))
        net.eval()
    with use_sensor(first, AIR):
        alone = first(images(1))
        with use_sensor(second, SPACE):
            assert torch.equal(first(images(1)), alone)
            assert not torch.equal(second(images(1)), alone)


def test_copied_network_keeps_its_sensors() -> None:
    net = copy.deepcopy(convert_to_csn(plain(), [AIR, SPACE])).eval()
    with use_sensor(net, SPACE):
        assert net(images(1)).shape == (4, 2, 8, 8)


def test_unknown_sensor_names_the_known_ones() -> None:
    net = convert_to_csn(plain(), [AIR, SPACE])
    with (
        pytest.raises(ParameterError, match="'lunar'; known: airborne, spaceborne"),
        use_sensor(net, "lunar"),
    ):
        pass


def test_learning_a_third_sensor_keeps_the_first_two() -> None:
    net = convert_to_csn(plain(), [AIR, SPACE])
    with use_sensor(net.train(), SPACE):
        net(images(4, 5.0, 3.0))
    mean = norm_of(net).running_mean.clone()
    convert_to_csn(net, [SPACE, AIR, "third"])
    assert torch.equal(norm_of(net).running_mean, torch.stack([mean[1], mean[0], mean[0]]))
    with pytest.raises(ParameterError, match="airborne"):
        convert_to_csn(net, ["third", SPACE])


def test_network_without_batch_normalisation_is_refused() -> None:
    with pytest.raises(ParameterError, match="no batch normalisation"):
        convert_to_csn(nn.Sequential(nn.Conv2d(4, 2, 1)), [AIR])


def test_plain_network_ignores_the_choice() -> None:
    net = plain().eval()
    with use_sensor(net, "anything"):
        assert net(images(1)).shape == (4, 2, 8, 8)


@pytest.mark.parametrize(
    "encoder", ["timm-mobilenetv3_small_minimal_100", "efficientnet-b0", "tu-efficientnet_b0"]
)
def test_whole_network_is_converted_and_unchanged(encoder: str) -> None:
    # timm's layer is a subclass that also activates; converting must not lose the activation.
    torch.manual_seed(0)
    net = build_network(
        NetworkConfig(kind="disoptnet", encoder=encoder, decoder_channels=16, sensors=(AIR,))
    ).eval()
    x = torch.randint(0, 256, (1, 4, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net(x)
    norms = sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    parameters = sum(p.numel() for p in net.parameters())
    convert_to_csn(net, [AIR, SPACE], momentum=0.1)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    assert sum(isinstance(m, SensorNorm2d) for m in net.modules()) == norms
    assert sum(p.numel() for p in net.parameters()) == parameters, "the affine part is shared"
    assert net.config.sensors == (AIR, SPACE)
    assert net.config.sensor_specific
    assert norm_of(net).momentum == 0.1
    assert torch.equal(net.predict(x, AIR), expected)
    assert torch.equal(net.predict(x, SPACE), expected)
    with pytest.raises(ParameterError, match="it knows airborne, spaceborne"):
        net.predict(x, "lunar")
