from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.adapt.batches import adaptation_batches
from components.adapt.labels import LabelFolder
from components.adapt.pseudo_labels import PseudoLabels
from components.adapt.statistics import training_crops
from components.adapt.task import AdaptationTask
from components.contract.errors import MissingInputError
from components.lib.losses.segmentation import IGNORE, cross_entropy, ignore_nodata, segmentation_loss
from components.lib.nets.csn import SensorNorm2d, convert_to_csn
from components.lib.nets.sensorset import use_sensor
from components.lib.selftraining.pseudolabels import PseudoLabelSettings
from components.lib.store.store import Store
from tests.adapt.two_sensors import SOURCE, TARGET, make_start, make_store, training

STARTS = [2, 5]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


@pytest.fixture
def labels(tmp_path: Path, store: Store) -> LabelFolder:
    settings = PseudoLabelSettings(portion=0.5, scales=(1.0,))
    return LabelFolder(tmp_path / "var/labels", store, TARGET, store.rows(TARGET, "train")[1:], settings)


def images(labels: LabelFolder) -> Iterator[torch.Tensor]:
    return training_crops(labels.store, labels.sensor, labels.rows, training())


def make_task(
    tmp_path: Path, store: Store, labels: LabelFolder, *, reestimate: bool = False
) -> AdaptationTask:
    net = convert_to_csn(make_start(tmp_path, store), (SOURCE, TARGET), momentum=0.1)
    return AdaptationTask(
        net,
        source=SOURCE,
        target=labels.sensor,
        first_target_step=STARTS[0],
        target_weight=0.5,
        pseudo=PseudoLabels(labels, STARTS),
        target_images=(lambda: images(labels)) if reestimate else None,
    )


def pseudo_of(task: AdaptationTask) -> PseudoLabels:
    assert task.pseudo is not None
    return task.pseudo


def tensors_of(store: Store, labels: LabelFolder, step: int) -> dict[str, torch.Tensor]:
    """The batch as the loop hands it to the task: images with channels first."""
    tensors = {key: torch.from_numpy(array) for key, array in batch_of(store, labels, step).items()}
    return {key: t.permute(0, 3, 1, 2) if t.ndim == 4 else t for key, t in tensors.items()}


def batch_of(store: Store, labels: LabelFolder, step: int) -> dict[str, Any]:
    batches = adaptation_batches(
        store,
        source=SOURCE,
        source_rows=store.rows(SOURCE, "train"),
        labels=labels,
        training=training(),
        first_target_step=STARTS[0],
    )
    return dict(batches(step))


def test_batches_are_a_function_of_the_step_and_carry_no_target_labels(
    store: Store, labels: LabelFolder
) -> None:
    assert set(batch_of(store, labels, 1)) == {"source_sar", "source_labels"}
    batch = batch_of(store, labels, 4)
    assert set(batch) == {"source_sar", "source_labels", "target_sar", "target_windows"}
    again = batch_of(store, labels, 4)
    assert all(np.array_equal(batch[key], again[key]) for key in batch)
    assert batch["source_sar"].shape == batch["target_sar"].shape == (4, 64, 64, 4)


def test_pseudo_labels_are_cut_where_the_image_was(tmp_path: Path, store: Store, labels: LabelFolder) -> None:
    task = make_task(tmp_path, store, labels)
    # Labels that are the image itself: any slip in row, corner or mirroring would show.
    pseudo = pseudo_of(task)
    pseudo._labels = torch.from_numpy(store.layer(TARGET, "sar")[labels.rows][..., 0])
    flips = []
    for step in range(STARTS[0], STARTS[0] + 4):
        batch = batch_of(store, labels, step)
        crops = pseudo.crops(torch.from_numpy(batch["target_windows"]), 64)
        assert np.array_equal(crops.numpy(), batch["target_sar"][..., 0])
        flips += list(batch["target_windows"][:, 3])
    assert set(flips) == {0, 1}


def test_loss_is_source_plus_weighted_target(tmp_path: Path, store: Store, labels: LabelFolder) -> None:
    task = make_task(tmp_path, store, labels).eval()
    task.before_step(STARTS[0])
    batch = tensors_of(store, labels, STARTS[0])
    with torch.no_grad():
        losses = task(batch)
        with use_sensor(task.net, SOURCE):
            source = sum(
                segmentation_loss(
                    z, ignore_nodata(batch["source_labels"][:, 0], batch["source_sar"]), ignore_index=IGNORE
                )
                for z in task.net.supervised_maps(batch["source_sar"])
            )
        made = np.load(labels.folder / "round-0.npy")
        pseudo = np.stack(
            [
                np.flip(made[n, y : y + 64, x : x + 64], axis=1 if flip else ())
                for n, y, x, flip in batch["target_windows"].tolist()
            ]
        )
        with use_sensor(task.net, TARGET):
            target = sum(
                cross_entropy(z, torch.from_numpy(pseudo.copy()), ignore_index=255)
                for z in task.net.supervised_maps(batch["target_sar"])
            )
    assert torch.isclose(losses["source"], torch.as_tensor(source))
    assert torch.isclose(losses["target"], torch.as_tensor(target))
    assert torch.isclose(losses["loss"], losses["source"] + 0.5 * losses["target"])
    assert losses["target"] > 0


def test_labels_of_pixels_without_data_teach_on_neither_side(
    tmp_path: Path, store: Store, labels: LabelFolder
) -> None:
    task = make_task(tmp_path, store, labels).eval()
    task.pseudo = None  # the target's own labels are trained on
    batch = tensors_of(store, labels, STARTS[0]) | {"target_labels": torch.zeros(4, 3, 64, 64).byte()}
    batch["source_labels"] = torch.zeros(4, 3, 64, 64).byte()
    for side in ("source", "target"):
        batch[f"{side}_sar"][:, :, :20] = 0
        batch[f"{side}_sar"][:, :, 20:] += 1  # data everywhere else
    honest = task.losses(batch)
    for side in ("source", "target"):
        lies = {**batch, f"{side}_labels": batch[f"{side}_labels"].clone()}
        lies[f"{side}_labels"][:, :, :20] = 1
        assert torch.equal(task.losses(lies)["loss"], honest["loss"]), side
        lies[f"{side}_labels"][:, :, 20:] = 1
        assert not torch.equal(task.losses(lies)["loss"], honest["loss"]), side


def test_warm_up_moves_the_sources_statistics_only_and_round_one_copies_them(
    tmp_path: Path, store: Store, labels: LabelFolder
) -> None:
    task = make_task(tmp_path, store, labels).train()
    norms = [m for m in task.net.modules() if isinstance(m, SensorNorm2d)]
    start = [norm.running_mean.clone() for norm in norms]
    for step in range(STARTS[0]):
        task.before_step(step)
        task(tensors_of(store, labels, step))
    assert all(torch.equal(norm.running_mean[1], old[1]) for norm, old in zip(norms, start, strict=True))
    assert not any(torch.equal(norm.running_mean[0], norm.running_mean[1]) for norm in norms)
    assert int(pseudo_of(task).begun) == -1
    task.before_step(STARTS[0])
    assert all(torch.equal(norm.running_mean[0], norm.running_mean[1]) for norm in norms)
    assert all(torch.equal(norm.running_var[0], norm.running_var[1]) for norm in norms)
    assert task.net.training
    source = [norm.running_mean[0].clone() for norm in norms]
    task.before_step(STARTS[1])
    assert int(pseudo_of(task).begun) == 1
    assert all(torch.equal(norm.running_mean[0], old) for norm, old in zip(norms, source, strict=True))


def test_first_round_can_see_the_target_through_its_own_statistics(
    tmp_path: Path, store: Store, labels: LabelFolder
) -> None:
    task = make_task(tmp_path, store, labels, reestimate=True)
    norms = [m for m in task.net.modules() if isinstance(m, SensorNorm2d)]
    source = [norm.running_mean[0].clone() for norm in norms]
    task.before_step(STARTS[0])
    assert all(torch.equal(norm.running_mean[0], old) for norm, old in zip(norms, source, strict=True))
    with torch.no_grad(), use_sensor(task.net, TARGET):
        first = task.net.encoder.model.conv_stem(  # type: ignore[union-attr, operator]
            task.net.normalise(torch.cat(list(images(labels))))
        )
    assert torch.allclose(norms[0].running_mean[1], first.mean((0, 2, 3)), atol=1e-4)


def test_restored_task_finds_its_labels_or_says_that_they_are_gone(
    tmp_path: Path, store: Store, labels: LabelFolder
) -> None:
    first = make_task(tmp_path, store, labels)
    first.before_step(STARTS[0])
    second = make_task(tmp_path, store, labels)
    second.load_state_dict(first.state_dict())
    made = (labels.folder / "round-0.npy").stat().st_mtime_ns
    second.before_step(STARTS[0] + 1)
    assert (labels.folder / "round-0.npy").stat().st_mtime_ns == made, "found, not made again"
    restored, original = pseudo_of(second)._labels, pseudo_of(first)._labels
    assert restored is not None
    assert original is not None
    assert torch.equal(original, restored)
    np.save(labels.folder / "round-0.npy", np.zeros((1, 2, 2), np.uint8))
    third = make_task(tmp_path, store, labels)
    third.load_state_dict(first.state_dict())
    with pytest.raises(MissingInputError, match="round 1 of the interrupted run"):
        third.before_step(STARTS[0] + 1)


def test_losses_before_the_labels_is_a_bug_that_speaks(
    tmp_path: Path, store: Store, labels: LabelFolder
) -> None:
    task = make_task(tmp_path, store, labels)
    with pytest.raises(RuntimeError, match="before_step"):
        task(tensors_of(store, labels, STARTS[0]))
