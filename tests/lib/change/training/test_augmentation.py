from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from components.lib.change.terms import UNKNOWN
from components.lib.change.training.augmentation import Augmentation
from components.lib.change.training.geometry import draw_places, moved
from components.lib.change.training.noise import KINDS, draw_noise, grain_field, noisy
from components.lib.engine.batch import to_batch
from tests.lib.change.configs import OPTICAL, SAR, config, image

OPTICAL_PAIR, RADAR, MIXED = config(after=OPTICAL), config(before=SAR, after=SAR), config(after=SAR)


def drawn(augmentation: Augmentation, step: int, count: int) -> dict[str, Tensor]:
    return to_batch(augmentation.draw(step, count), torch.device("cpu"))


def crops(count: int = 16, *, bands: tuple[int, int] = (3, 3)) -> dict[str, Tensor]:
    label = (image(3, bands=1, batch=count) > 128).to(torch.uint8)
    return {
        "before": image(1, bands=bands[0], batch=count),
        "after": image(2, bands=bands[1], batch=count),
        "label": label,
    }


def test_draws_are_a_function_of_seed_and_step() -> None:
    first, second = Augmentation(OPTICAL_PAIR, 0.5, 17), Augmentation(OPTICAL_PAIR, 0.5, 17)
    assert first.draw(5, 8).keys() == {"places", "swapped", "levels", "colours", "filters", "grains"}
    for name, value in first.draw(5, 8).items():
        assert np.array_equal(value, second.draw(5, 8)[name])
    assert not np.array_equal(first.draw(5, 8)["places"], first.draw(6, 8)["places"])
    assert not np.array_equal(
        first.draw(5, 8)["places"], Augmentation(OPTICAL_PAIR, 0.5, 18).draw(5, 8)["places"]
    )


def test_both_dates_and_the_label_move_alike() -> None:
    augmentation, batch = Augmentation(OPTICAL_PAIR, 0.0, 17), crops()
    batch["after"] = batch["before"].clone()
    batch["label"] = (batch["before"][:, :1] > 128).to(torch.uint8)
    changed = augmentation.apply(batch | drawn(augmentation, 0, 16))
    assert torch.equal(changed["before"], changed["after"])
    assert not torch.equal(changed["before"], batch["before"])
    # Where nothing is interpolated, the label is still the image's bright half.
    exact = [
        i
        for i in range(16)
        if (changed["before"][i].flatten().sort().values == batch["before"][i].flatten().sort().values).all()
    ]
    assert exact
    for crop in exact:
        assert torch.equal(changed["label"][crop, 0] == 1, changed["before"][crop, 0] > 128)


def test_nothing_moves_without_a_draw() -> None:
    layers = crops(4)
    for name, layer in layers.items():
        assert torch.equal(moved(layer, torch.eye(2, 3).repeat(4, 1, 1), code=name == "label"), layer)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[-1, 0], [0, 1]], lambda x: x.flip(3)),
        ([[1, 0], [0, -1]], lambda x: x.flip(2)),
        ([[0, 1], [1, 0]], lambda x: x.transpose(2, 3)),
    ],
)
def test_flips_and_transpositions_are_exact(matrix: list[list[int]], expected: Any) -> None:
    places = torch.cat([torch.tensor(matrix, dtype=torch.float32), torch.zeros(2, 1)], dim=1).unsqueeze(0)
    layer = image(1, batch=1)
    assert torch.equal(moved(layer, places, code=False), expected(layer))


def test_places_have_the_published_probabilities() -> None:
    places = draw_places(np.random.default_rng(0), 20_000, turns=True)
    linear = places[:, :, :2].astype(np.float64)
    plain = np.isin(np.abs(linear), (0, 1)).all(axis=(1, 2))
    assert plain.mean() == pytest.approx(0.7 * 0.7, abs=0.02), "neither turned nor zoomed"
    transposed = (np.abs(linear[plain])[:, 0, 1] == 1).mean()
    assert transposed == pytest.approx(0.5, abs=0.02)
    unflipped = (linear[plain].sum(axis=(1, 2)) == 2).mean()
    assert unflipped == pytest.approx(0.5, abs=0.02)
    zoom = np.sqrt(np.abs(np.linalg.det(linear)))
    assert 1 / 1.1 - 1e-6 <= zoom.min() < zoom.max() <= 1 / 0.9 + 1e-6
    assert np.abs(places[:, :, 2]).max() <= 0.125


def test_radar_is_never_turned() -> None:
    """Layover and shadow lie along columns, and a mirror image left to right keeps them there."""
    places = draw_places(np.random.default_rng(0), 5000, turns=False)
    assert not places[:, 0, 1].any()
    assert not places[:, 1, 0].any()
    assert (places[:, 1, 1] > 0).all()
    assert (places[:, 0, 0] < 0).mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(np.abs(places[:, 0, 0]), places[:, 1, 1])
    for pair in (RADAR, MIXED):
        assert not Augmentation(pair, 0.0, 1).draw(0, 100)["places"][:, 0, 1].any()
    assert Augmentation(OPTICAL_PAIR, 0.0, 1).draw(0, 100)["places"][:, 0, 1].any()


def test_only_dates_of_one_modality_are_swapped() -> None:
    swaps = np.concatenate(
        [Augmentation(OPTICAL_PAIR, 0.0, 1).draw(step, 64)["swapped"] for step in range(30)]
    )
    assert swaps.mean() == pytest.approx(0.5, abs=0.03)
    assert "swapped" in Augmentation(RADAR, 0.0, 1).draw(0, 4)
    assert "swapped" not in Augmentation(MIXED, 0.0, 1).draw(0, 4)


def test_pixels_without_data_in_either_date_are_unknown() -> None:
    augmentation, batch = Augmentation(MIXED, 0.0, 17), crops(2, bands=(3, 4))
    batch["before"][:, :, :4], batch["after"][:, :, :, :6] = 0, 0
    changed = augmentation.apply(batch)
    assert (changed["label"][:, :, :4] == UNKNOWN).all()
    assert (changed["label"][:, :, :, :6] == UNKNOWN).all()
    assert torch.equal(changed["label"][:, :, 4:, 6:], batch["label"][:, :, 4:, 6:])


def noise_of(kind: str, count: int = 3) -> dict[str, Tensor]:
    """Draws in which every crop has a noise of that kind."""
    arrays: list[Any] = []
    for seed in range(500):
        found = draw_noise(np.random.default_rng(seed), 1, 1.0)
        if _kind(found) == kind:
            arrays.append(found)
        if len(arrays) == count:
            break
    return {name: torch.from_numpy(np.concatenate([a[name] for a in arrays])) for name in arrays[0]}


def _kind(draw: Any) -> str:
    gain, offset, exponent, grain = draw["levels"][0]
    if grain:
        return "grain"
    if not np.allclose(draw["colours"][0], np.eye(3)):
        return "colour"
    if gain != 1 or (offset and exponent == 1):
        return "brightness"
    if exponent != 1:
        return "gamma"
    return "emboss" if draw["filters"].min() < 0 else "blur"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_noise_changes_a_photograph_a_little(kind: str) -> None:
    smooth = (
        torch.linspace(60, 190, 32).round().to(torch.uint8).view(1, 1, 32, 1).expand(3, 3, 32, 32).clone()
    )
    smooth[:, 1:] += 20
    smooth[:, :, :3] = 0
    changed = noisy(smooth, noise_of(kind), colour=True)
    assert changed.dtype == torch.uint8
    assert not torch.equal(changed, smooth)
    assert not changed[:, :, :3].any(), "no data stays no data"
    difference = (changed.float() - smooth.float())[:, :, 8:-8].abs().mean(dim=(1, 2, 3))
    assert (difference < 90).all()


def test_radar_has_no_colour_and_is_not_filtered() -> None:
    radar = image(1, bands=4, batch=3)
    for kind in ("emboss", "blur"):
        assert torch.equal(noisy(radar, noise_of(kind), colour=False), radar)
    assert not torch.equal(noisy(radar, noise_of("grain"), colour=False), radar)


def test_both_dates_get_the_same_noise_and_the_share_is_the_probability() -> None:
    augmentation, batch = Augmentation(OPTICAL_PAIR, 0.8, 3), crops()
    batch["after"] = batch["before"].clone()
    changed = augmentation.apply(
        batch | {k: v for k, v in drawn(augmentation, 2, 16).items() if k != "places"}
    )
    assert torch.equal(changed["before"], changed["after"])
    assert torch.equal(changed["label"], batch["label"])
    noise = draw_noise(np.random.default_rng(1), 20_000, 0.3)
    filtered = (noise["filters"] != 0).sum(axis=(1, 2)) > 1
    plain = (noise["levels"] == (1, 0, 1, 0)).all(axis=1) & (noise["colours"][:, 0, 0] == 1) & ~filtered
    assert plain.mean() == pytest.approx(0.7, abs=0.02)


def test_grain_is_a_function_of_its_seed_with_unit_deviation() -> None:
    field = grain_field(torch.tensor([1, 2, 1]), torch.Size((3, 64, 64)))
    assert torch.equal(field[0], field[2])
    assert not torch.equal(field[0], field[1])
    assert float(field.mean()) == pytest.approx(0.0, abs=0.02)
    assert float(field.std()) == pytest.approx(1.0, abs=0.02)
    neighbours = torch.corrcoef(torch.stack([field[0, 0, :, 1:].flatten(), field[0, 0, :, :-1].flatten()]))
    assert abs(float(neighbours[0, 1])) < 0.05
