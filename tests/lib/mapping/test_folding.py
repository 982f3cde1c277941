from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from components.lib.mapping.folding import folded
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import SensorNorm2d
from components.lib.nets.factory import build_network
from components.lib.nets.network import SegmentationNetwork
from tests.lib.mapping.looks_at_ground import AIRBORNE, SPACEBORNE, Nearby


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained_looking(kind: str, encoder: str, sensors: tuple[str, ...]) -> SegmentationNetwork:
    """Random network whose normalisation is far from the identity, and differs between sensors."""
    torch.manual_seed(0)
    net = build_network(
        NetworkConfig(
            kind=kind,
            encoder=encoder,
            decoder_channels=16,
            sensors=sensors,
            contours=True,
            sensor_specific=len(sensors) > 1,
            stems="per_sensor" if len(sensors) > 1 else "shared",
        )
    ).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | SensorNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            with torch.no_grad():
                module.weight.uniform_(0.7, 1.3)
                module.bias.normal_(0, 0.1)
    return net


@pytest.mark.parametrize(
    ("encoder", "sensors"),
    [("timm-mobilenetv3_small_minimal_100", (AIRBORNE,)), ("efficientnet-b0", (AIRBORNE, SPACEBORNE))],
)
def test_a_folded_network_predicts_the_same_without_normalisation(
    encoder: str, sensors: tuple[str, ...]
) -> None:
    net = trained_looking("deeplabv3plus", encoder, sensors)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    x = torch.randint(0, 256, (2, 4, 96, 96), dtype=torch.uint8)
    for sensor in sensors:
        fast = folded(net, sensor)
        assert fast is not net
        assert not any(isinstance(m, nn.BatchNorm2d | SensorNorm2d) for m in fast.modules())
        for wanted, found in zip(net.predict_maps(x, sensor), fast.predict_maps(x, sensor), strict=True):
            assert wanted is not None
            assert found is not None
            assert (wanted.sigmoid() - found.sigmoid()).abs().max() < 1e-4
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_network_with_nothing_to_fold_stays_itself() -> None:
    net = Nearby()
    assert folded(net, AIRBORNE) is net


def test_a_convolution_whose_output_others_use_too_is_noticed() -> None:
    class Skipping(Nearby):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(4, 2, 3, padding=1), nn.BatchNorm2d(2)
            nn.init.constant_(self.norm.weight, 3.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = self.convolution(x.float() / 255)
            normed: torch.Tensor = self.norm(values)
            return normed + values

    net = Skipping().eval()
    assert folded(net, AIRBORNE) is net
