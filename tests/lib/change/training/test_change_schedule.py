from __future__ import annotations

import pytest

from components.change.parameters import ChangeTraining
from components.lib.change.training.presets import PRESETS, Preset
from components.lib.change.training.schedule import Plateau, warmup_rate


def test_the_warm_up_ends_just_below_the_rate() -> None:
    assert warmup_rate(0, 2e-4, 500) == pytest.approx(1e-7 + (2e-4 - 1e-7) / 500)
    assert warmup_rate(248, 2e-4, 500) == pytest.approx(1e-7 + 249 * (2e-4 - 1e-7) / 500)
    assert warmup_rate(498, 2e-4, 500) == pytest.approx(1.996e-4, rel=1e-5)
    assert warmup_rate(497, 2e-4, 500) < warmup_rate(498, 2e-4, 500)
    assert {warmup_rate(step, 2e-4, 500) for step in (499, 500, 10**6)} == {warmup_rate(498, 2e-4, 500)}
    assert warmup_rate(0, 2e-4, 0) == 2e-4


def test_the_rate_falls_after_twelve_measurements_in_a_row_without_a_higher_f1() -> None:
    plateau = Plateau(patience=12)
    for _ in range(12):  # the first sets the best, eleven are not higher
        plateau.measure(0.5)
    assert (plateau.factor, plateau.waited) == (1.0, 11)
    plateau.measure(0.5)
    assert plateau.factor == pytest.approx(0.1)
    assert plateau.waited == 0
    for _ in range(11):
        plateau.measure(0.4)
    plateau.measure(0.500001)  # higher by any difference: counting begins anew
    for _ in range(11):
        plateau.measure(0.5)
    assert plateau.falls == 1
    plateau.measure(0.5)
    assert plateau.factor == pytest.approx(0.01)


def test_the_earliest_fall_of_the_code_is_after_epoch_262() -> None:
    preset, plateau = PRESETS["head"], Plateau(PRESETS["head"].patience)
    epoch = preset.first_evaluation
    while not plateau.falls:
        plateau.measure(0.0)
        epoch += 1
    assert epoch - 1 == 262


def test_a_replayed_plateau_is_the_same() -> None:
    scores = [0.1, 0.3, 0.2, 0.2, 0.25, 0.4, 0.4, 0.1, 0.1]
    first, second = Plateau(2), Plateau(2)
    for score in scores:
        first.measure(score)
    second.measure(0.9)
    second.replay(scores)
    assert first == second
    assert first.falls == 2


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("head", (500, 16, 2e-4, 250, 12, 0.1, 0.3)),
        ("first_release", (500, 16, 2e-4, 250, 12, 0.3, 0.8)),
        ("issue4", (250, 64, 1e-3, 30, 12, 0.3, 0.8)),
    ],
)
def test_presets_are_as_described(name: str, values: tuple[float, ...]) -> None:
    preset = PRESETS[name]  # type: ignore[index]
    names = ("epochs", "batch", "lr", "first_evaluation", "patience", "dropout", "noise")
    assert tuple(getattr(preset, field) for field in names) == values
    assert (preset.weight_decay, preset.warmup_steps) == (1e-3, 500)


def test_short_measures_from_half_of_its_epochs_on() -> None:
    assert PRESETS["short"].first_evaluation * 2 == PRESETS["short"].epochs


def test_the_first_measurement_comes_before_the_last_epoch() -> None:
    with pytest.raises(ValueError, match="first_evaluation must be below epochs"):
        Preset(epochs=10, batch=2, lr=1e-3, first_evaluation=10, dropout=0.0, noise=0.0)


def test_a_section_changes_what_it_names_of_its_preset() -> None:
    section = ChangeTraining(
        data_set="tiny", preset="head", before="optical", after="sar", crop=64, crops_per_tile=1,
        change_share=0.0, epochs=30, noise=0.0,
    )  # fmt: skip
    preset = section.schedule(lr=5e-4)
    assert (preset.epochs, preset.first_evaluation) == (30, 15)
    assert (preset.lr, preset.noise, preset.batch, preset.dropout) == (5e-4, 0.0, 16, 0.1)
    assert section.model_copy(update={"epochs": 1}).schedule(None).first_evaluation == 0


def test_the_rate_of_short_falls_along_a_cosine_whatever_f1_does() -> None:
    preset, plateau = PRESETS["short"], Plateau(PRESETS["short"].patience)
    for _ in range(100):
        plateau.measure(0.0)
    assert (plateau.factor, len(plateau.scores)) == (1.0, 100)
    assert preset.schedule == "cosine"
    assert {PRESETS[name].schedule for name in PRESETS if name != "short"} == {"constant"}
