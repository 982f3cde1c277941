from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.contract.errors import BadDataError
from components.lib.engine.optical import optical_network
from components.lib.engine.parameters import TrainingParameters
from components.lib.losses.segmentation import IGNORE as NOTHING
from components.lib.methods.registry import load_teacher
from components.lib.nets.singlemap import SingleMapNetwork
from components.lib.osm.terms import IGNORE, OBJECT
from components.pretrain.masks import LAYER, LowestLossTask, MaskTask, StoreWithMasks, mask_classes
from tests.lib.engine.tiny_store import SENSOR, TRAINING, make_store
from tests.pretrain.masks_of_store import write_masks

TEACHER = load_teacher("deeplabv3plus")


@pytest.fixture
def training() -> TrainingParameters:
    tiny = {
        **TRAINING,
        "encoder": "timm-mobilenetv3_small_minimal_100",
        "encoder_weights": None,
        "lr": 0.01,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "seed": 17,
        "contour_weight": 0.5,
    }
    return TrainingParameters.model_validate(tiny)


def batch_of(mask: torch.Tensor) -> dict[str, torch.Tensor]:
    image = torch.randint(1, 255, (len(mask), 4, *mask.shape[-2:]), dtype=torch.uint8)
    return {"optical": image, LAYER: mask[:, None]}


def test_classes_of_a_mask() -> None:
    mask = torch.tensor([[[0, IGNORE, OBJECT]]], dtype=torch.uint8)
    assert mask_classes(mask).tolist() == [[[0, NOTHING, 1]]]


def test_ignored_pixels_count_in_no_loss(
    training: TrainingParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = optical_network("deeplabv3plus", "buildings", SENSOR, training)
    logits = torch.zeros((2, 2, 64, 64), requires_grad=True)
    monkeypatch.setattr(type(net), "forward", lambda *_: logits)
    task = MaskTask(TEACHER.supervision(net))
    mask = torch.full((2, 64, 64), OBJECT, dtype=torch.uint8)
    mask[:, 32:] = IGNORE
    task.losses(batch_of(mask))["loss"].backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert logits.grad[..., :32, :].abs().min() > 0
    assert logits.grad[..., 32:, :].abs().max() == 0
    nothing = task.losses(batch_of(torch.full((2, 64, 64), IGNORE, dtype=torch.uint8)))
    assert nothing["loss"].item() == 0


@pytest.mark.parametrize("kind", ["deeplabv3plus", "pp_linknet"])
def test_the_contour_head_learns_nothing_from_masks(training: TrainingParameters, kind: str) -> None:
    net = optical_network(kind, "buildings", SENSOR, training)
    assert isinstance(net, SingleMapNetwork)
    task = MaskTask(load_teacher(kind).supervision(net))
    trained = {id(parameter) for parameter in task.trainable_parameters()}
    assert net.contour_head is not None
    assert trained.isdisjoint(id(parameter) for parameter in net.contour_head.parameters())
    mask = torch.zeros((2, 64, 64), dtype=torch.uint8)
    mask[:, :20] = OBJECT
    task.losses(batch_of(mask))["loss"].backward()  # type: ignore[no-untyped-call]
    missing = [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing


def test_the_weights_of_the_lowest_loss_are_kept(training: TrainingParameters) -> None:
    net = optical_network("deeplabv3plus", "buildings", SENSOR, training)
    task = LowestLossTask(TEACHER.supervision(net), epoch_steps=2)
    weight = next(net.parameters())
    # Mean losses of the epochs: 3, 1, 2; the weights hold the number of the step.
    for step, loss in enumerate([2.0, 4.0, 1.0, 1.0, 2.0, 2.0]):
        task.before_step(step)
        task.total += loss
        task.count += 1
        weight.data.fill_(step)
    assert task.restore() == 1.0
    assert bool((weight == 3.0).all())


def test_kept_weights_outlive_a_kill(training: TrainingParameters) -> None:
    task, other = (
        LowestLossTask(
            TEACHER.supervision(optical_network("deeplabv3plus", "buildings", SENSOR, training)),
            epoch_steps=1,
        )
        for _ in range(2)
    )
    task.total += 1.0
    task.count += 1
    next(task.supervised.net.parameters()).data.fill_(5.0)
    task.before_step(1)
    other.load_state_dict(task.state_dict())
    next(other.supervised.net.parameters()).data.fill_(7.0)
    assert other.restore() == 1.0
    assert bool((next(other.supervised.net.parameters()) == 5.0).all())


def test_masks_of_another_store_are_refused(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    folder = write_masks(tmp_path / "osm", store)
    assert StoreWithMasks(store, folder).layer(SENSOR, LAYER).shape == store.layer(SENSOR, "target").shape
    assert StoreWithMasks(store, folder).layer(SENSOR, "optical").shape[-1] == 4
    masks = np.load(folder / f"{SENSOR}.npy")
    np.save(folder / f"{SENSOR}.npy", masks[:3])
    with pytest.raises(BadDataError, match="has masks"):
        StoreWithMasks(store, folder).layer(SENSOR, LAYER)
