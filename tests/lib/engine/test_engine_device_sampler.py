from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from components.contract.errors import ResourceError
from components.lib.engine import device_sampler
from components.lib.engine.batch import Batch, to_batch
from components.lib.engine.crops import crop_batches, crop_sampler
from components.lib.engine.device_sampler import DeviceSampler, require_device_memory
from components.lib.engine.loop import fit
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.task import TrainingTask
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store
from tests.lib.engine.tiny import parameters
from tests.lib.store.tiny_store import SENSOR, tiny_store

CPU = torch.device("cpu")
LAYERS = ("sar", "optical", "target")


@pytest.fixture(scope="module", params=[False, True], ids=["uint8", "float16"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("device_sampler")
    return tiny_store(folder, splits=["test", "train", "buffer", "train", "train"], half=request.param)[0]


def training(**changes: object) -> TrainingParameters:
    return parameters().model_copy(update={"crop": 32, "batch": 4, "device": "cpu", **changes})


@pytest.mark.parametrize("rot90", [False, True], ids=["flips", "flips and turns"])
@pytest.mark.parametrize("crop", [1, 7, 24, 40])
def test_both_routes_give_the_same_bits(store: Store, crop: int, rot90: bool) -> None:
    rows = store.rows(SENSOR, "train")
    assert rows.tolist() == [1, 3, 4]
    host = CropSampler(store, SENSOR, rows, LAYERS, crop=crop, batch=6, seed=5, rot90=rot90)
    device = DeviceSampler(host, CPU)
    seen = set()
    for step in range(30):
        expected, got = to_batch(host.batch(step), CPU), to_batch(device.batch(step), CPU)
        assert list(got) == list(expected)
        for name in LAYERS:
            assert got[name].dtype == expected[name].dtype
            assert got[name].stride() == expected[name].stride()
            assert torch.equal(got[name], expected[name])
        assert device.windows(step) == host.windows(step)
        seen |= {(window.flip, window.turns) for window in host.windows(step)}
    assert len(seen) == (8 if rot90 else 2)


def test_rows_are_drawn_in_the_order_they_were_given(store: Store) -> None:
    rows = np.array([4, 1])
    host = CropSampler(store, SENSOR, rows, ("sar",), crop=16, batch=4, seed=5)
    device = DeviceSampler(host, CPU)

    for step in range(5):
        assert torch.equal(device.batch(step)["sar"], to_batch(host.batch(step), CPU)["sar"])


def test_the_parameter_chooses_the_route_and_the_zoom_goes_along(store: Store) -> None:
    rows = store.rows(SENSOR, "train")
    routes = {
        name: crop_batches(
            store, SENSOR, rows, LAYERS, training(store=name, crop=24, scale_jitter=(0.8, 1.25)), rot90=True
        )
        for name in ("host", "device")
    }
    for step in (0, 9):
        host, device = (routes[name](step) for name in ("host", "device"))
        assert isinstance(host["sar"], np.ndarray)
        assert isinstance(device["sar"], torch.Tensor)
        assert device["sar"].shape == (4, 4, 30, 30)
        expected, got = to_batch(host, CPU), to_batch(device, CPU)
        assert set(got) == {*LAYERS, "scales"}
        assert all(torch.equal(got[name], expected[name]) for name in expected)
    assert isinstance(crop_sampler(store, SENSOR, rows, LAYERS, training=training(), seed=1), CropSampler)


class Brightness(TrainingTask):
    """One number learns how bright the crops are."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(4, 1, 1))

    def losses(self, batch: Batch) -> Batch:
        return {"loss": (self.level - batch["sar"].float() / 255).square().mean()}


def test_training_ends_at_the_same_weights(store: Store, tmp_path: Path) -> None:
    levels = []
    for name in ("host", "device"):
        task, settings = Brightness(), training(store=name, crop=32)
        batches = crop_batches(store, SENSOR, store.rows(SENSOR, "train"), ("sar",), settings)
        fit(task, batches, settings, 6, name=name, checkpoint_dir=tmp_path / name)
        levels.append(task.level.detach().cpu())

    assert torch.equal(levels[0], levels[1])
    assert float(levels[0].detach().min()) > 0


def test_layers_that_do_not_fit_are_told_with_both_sizes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 3 * 40 * 40 * 4
    monkeypatch.setattr(device_sampler, "free_memory", lambda _: needed)
    host = CropSampler(store, SENSOR, store.rows(SENSOR, "train"), ("optical",), crop=16, batch=2, seed=1)

    with pytest.raises(ResourceError, match=r"take 19,200 bytes and cpu has 19,200 free") as caught:
        DeviceSampler(host, CPU)
    assert "training.store to host" in caught.value.next_step
    require_device_memory(int(0.8 * needed), CPU)


def test_free_memory_of_this_machine_is_believable() -> None:
    assert 2**20 < device_sampler.free_memory(CPU) < 2**50
