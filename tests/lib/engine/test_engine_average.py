from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from components.lib.engine.average import WeightAverage
from tests.lib.engine import tiny


def first_weight(task: tiny.TinyTask) -> torch.Tensor:
    weight: torch.Tensor = task.state_dict()["net.0.weight"]
    return weight


def test_published_weights_are_the_exponential_average_of_every_step() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1, affine=False))
    state = net.state_dict()
    average, decay = WeightAverage(net, share=0.5, steps=10), math.exp(-1 / 5)
    expected = {"0.weight": 0.0, "1.running_mean": 0.0}
    for step, value in enumerate([1.0, 3.0, -2.0, 5.0]):
        state["0.weight"].fill_(value)
        state["1.running_mean"].fill_(10 * value)
        average.update()
        for name, now in (("0.weight", value), ("1.running_mean", 10 * value)):
            expected[name] = now if step == 0 else decay * expected[name] + (1 - decay) * now
    average.publish()
    for name, value in expected.items():
        assert net.state_dict()[name].item() == pytest.approx(value, rel=1e-5)


def test_training_publishes_the_average_of_the_network_alone(tmp_path: Path) -> None:
    averaged, last = tiny.seeded_task(), tiny.seeded_task()
    tiny.train(tmp_path / "averaged", averaged)
    tiny.train(tmp_path / "last", last, average_share=None)
    assert not torch.equal(first_weight(averaged), first_weight(last))
    assert torch.equal(averaged.rounds, last.rounds), "the task's own buffers are not averaged"


def test_an_average_over_one_step_is_the_last_step(tmp_path: Path) -> None:
    nearly, last = tiny.seeded_task(), tiny.seeded_task()
    tiny.train(tmp_path / "nearly", nearly, average_share=1e-9)
    tiny.train(tmp_path / "last", last, average_share=None)
    distance = (first_weight(nearly) - first_weight(last)).abs().max()
    # exp(-1) of the step before last, whose rate is nearly 0 already
    assert distance < 1e-3


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_clipping_bounds_the_step(tmp_path: Path, optimiser: str) -> None:
    free, clipped = tiny.seeded_task(), tiny.seeded_task()
    start = first_weight(free).clone()
    settings: dict[str, Any] = {"optimiser": optimiser, "average_share": None, "weight_decay": 0.0}
    tiny.train(tmp_path / "free", free, **settings, clip_norm=None)
    tiny.train(tmp_path / "clipped", clipped, **settings, clip_norm=1e-9)
    moved = [(first_weight(task) - start).abs().max().item() for task in (free, clipped)]
    assert moved[1] < (1e-6 if optimiser == "sgd" else moved[0])
