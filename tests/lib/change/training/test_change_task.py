from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.lib.change.nets.bundle import build_change
from components.lib.change.pair import UNKNOWN
from components.lib.change.training.augmentation import Augmentation
from components.lib.change.training.loss import change_loss
from components.lib.change.training.presets import Preset
from components.lib.change.training.schedule import warmup_rate
from components.lib.change.training.statistics import date_statistics
from components.lib.change.training.task import ChangeTask
from components.lib.change.training.validation import Validation
from components.lib.engine.batch import Arrays
from components.lib.engine.loop import FitResult, fit, seed_everything
from tests.lib.change.configs import OPTICAL, config, image
from tests.lib.engine.tiny import parameters

PRESET = Preset(
    epochs=6, batch=2, lr=1e-3, warmup_steps=4, first_evaluation=1, patience=1, dropout=0.1, noise=0.5,
    clip_norm=1.0,
)  # fmt: skip
PER_EPOCH = 2
STEPS = PRESET.epochs * PER_EPOCH
CONFIG = config(after=OPTICAL, dropout=PRESET.dropout)
AUGMENTATION = Augmentation(CONFIG, PRESET.noise, 5)


class DiedError(Exception):
    pass


def batches(step: int) -> Arrays:
    random = np.random.default_rng(step)
    layers = {n: random.integers(1, 256, (2, 32, 32, 3), dtype=np.uint8) for n in ("before", "after")}
    label = (layers["after"][..., :1] > 128).astype(np.uint8)
    return {**layers, "label": label, **AUGMENTATION.draw(step, 2)}


def task(scores: list[float] | None = None) -> ChangeTask:
    """A task whose F1 is measured, or comes from a list."""
    seed_everything(1)
    net = build_change(CONFIG)
    random = np.random.default_rng(99)
    tiles = random.integers(1, 256, (2, 2, 32, 32, 3), dtype=np.uint8)
    validation = Validation(tiles[0], tiles[1], (tiles[1][..., :1] > 128).astype(np.uint8), np.arange(2), 1)
    validate = validation.f1 if scores is None else lambda _: scores.pop(0)
    return ChangeTask(net, change_loss, AUGMENTATION, PRESET, steps_per_epoch=PER_EPOCH, validate=validate)


def train(folder: Path, trained: ChangeTask, crops: Any = batches) -> FitResult:
    settings = parameters(
        batch=2, lr=PRESET.lr, schedule="constant", warmup_share=0.0, average_share=None, checkpoint_every=3,
        log_every=1,
    )  # fmt: skip
    return fit(trained, crops, settings, STEPS, name="change", checkpoint_dir=folder, epochs=PRESET.epochs)


def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, parts = task(), task()
    expected = train(tmp_path / "whole", whole)

    def dying(step: int) -> Arrays:
        if step == 10:
            raise DiedError
        return batches(step)

    with pytest.raises(DiedError):
        train(tmp_path / "parts", parts, dying)
    resumed = task()
    result = train(tmp_path / "parts", resumed)
    assert result.resumed_from == 9
    assert result.history == expected.history
    state = whole.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in resumed.state_dict().items())
    assert len(whole.plateau.scores) == 4, "after epochs 1 to 4; the last one's end comes after all steps"
    assert resumed.plateau == whole.plateau


def test_the_rate_is_the_warm_ups_and_falls_on_a_plateau(tmp_path: Path) -> None:
    # Measured before steps 4, 6, 8 and 10; the second and the last are not higher, the fourth is.
    result = train(tmp_path, task([0.2, 0.2, 0.3, 0.1]))
    rates = [record["lr"] for record in result.history]
    factors = [1.0] * 6 + [0.1] * 4 + [0.01] * 2
    expected = [warmup_rate(step, 1e-3, 4) * factor for step, factor in enumerate(factors)]
    assert rates == pytest.approx(expected)
    assert rates[2] == pytest.approx(1e-7 + 3 * (1e-3 - 1e-7) / 4), "the warm-up never reaches its end"


def test_losses_are_the_terms_and_their_sum(tmp_path: Path) -> None:
    history = train(tmp_path, task([0.1] * 4)).history
    assert history[0].keys() == {"step", "lr", "loss", "dice", "bce", "auxiliary"}
    for record in history:
        assert record["loss"] == pytest.approx(record["dice"] + record["bce"] + record["auxiliary"], rel=1e-5)


def test_measuring_changes_neither_the_mode_nor_the_random_numbers() -> None:
    trained = task().train()
    state = torch.get_rng_state()
    trained.before_step(2 * PER_EPOCH)
    assert trained.net.training
    assert torch.equal(torch.get_rng_state(), state)
    assert len(trained.plateau.scores) == 1
    trained.before_step(2 * PER_EPOCH + 1)
    trained.before_step(PER_EPOCH)
    assert len(trained.plateau.scores) == 1


def oracle() -> tuple[Validation, Any]:
    """Two tiles of which the upper half is changed, and a network that says so of the left half."""
    label = np.zeros((2, 4, 4, 1), np.uint8)
    label[:, :2] = 1
    label[1, 0, 0] = UNKNOWN
    tiles = np.full((2, 4, 4, 3), 9, np.uint8)
    after = tiles.copy()
    after[1, 3, 0] = 0  # no data

    class Left(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def predict(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
            logits = torch.full((len(before), 1, 4, 4), -2.0)
            logits[..., :2] = 2.0
            return logits

    return Validation(tiles, after, label, np.arange(2), 16), Left()


def test_scores_are_of_all_known_pixels_together() -> None:
    validation, net = oracle()
    # Found 4 + 3 of 8 + 7 changed pixels; 4 + 3 false ones.
    assert validation.f1(net) == pytest.approx(2 * 7 / (2 * 7 + 7 + 8))
    histogram = validation.histogram(net)
    assert histogram.counts(0.5).f1 == pytest.approx(validation.f1(net))
    assert int(histogram.building.sum()) == 15
    assert int(histogram.ground.sum()) == 15


def test_statistics_are_means_over_tiles_and_leave_out_what_has_no_data() -> None:
    layer = np.zeros((3, 2, 2, 1), np.uint8)
    layer[0], layer[1, 0] = [[[10], [30]], [[10], [30]]], [[50], [50]]  # tile 1 has data in its upper row
    layer[2] = 255
    mean, std = date_statistics(layer, np.array([0, 1]), "before_optical")
    assert mean == pytest.approx((35.0,)), "of 20 and 50"
    assert std == pytest.approx((5.0,)), "of 10 and 0"
    assert date_statistics(layer, np.array([2]), "x")[1] == (1.0,), "never a division by nothing"


def test_swapped_crops_reach_the_network_after_normalisation() -> None:
    trained, seen = task(), list[torch.Tensor | None]()
    supervised = trained.net.supervised

    def noted(before: torch.Tensor, after: torch.Tensor, swapped: torch.Tensor | None = None) -> Any:
        seen.append(swapped)
        return supervised(before, after, swapped)

    trained.net.supervised = noted  # type: ignore[method-assign]
    swapped = torch.tensor([True, False])
    label = torch.zeros(2, 1, 32, 32, dtype=torch.uint8)
    trained({"before": image(1), "after": image(2), "label": label, "swapped": swapped})
    assert seen[0] is swapped
