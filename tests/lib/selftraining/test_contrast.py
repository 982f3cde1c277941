"""Exchanged classes are seen in the images, which shares and agreement cannot do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from components.lib.losses.segmentation import IGNORE
from components.lib.selftraining.collapse import CollapseLimits, collapse_reason
from components.lib.selftraining.contrast import ClassContrast, contrast_similarity, looked_at

UInt8 = npt.NDArray[np.uint8]


def town(seed: int, gain: float, offset: float) -> tuple[UInt8, UInt8]:
    """A tile (150, 150, 4) of bright, rough buildings on even ground, its right border without data."""
    random = np.random.default_rng(seed)
    labels = np.zeros((150, 150), np.uint8)
    for _ in range(6):
        y, x = random.integers(5, 100, 2)
        labels[y : y + 30, x : x + 30] = 1
    rough = np.where(labels[..., None] == 1, 25.0, 8.0) * random.normal(size=(150, 150, 4))
    image = np.clip(offset + gain * (80 + 30 * labels[..., None] + rough), 1, 255).astype(np.uint8)
    image[:, -10:] = 0
    return image, labels


def contrast(*tiles: tuple[UInt8, UInt8]) -> tuple[float, ...]:
    gathered = ClassContrast(4)
    for image, labels in tiles:
        gathered.add(image, labels)
    return gathered.value()


@pytest.fixture(scope="module")
def source() -> tuple[float, ...]:
    return contrast(town(1, 1.0, 0.0), town(2, 1.0, 0.0))


def test_right_labels_of_another_sensor_are_alike_and_exchanged_ones_opposite(
    source: tuple[float, ...],
) -> None:
    image, labels = town(3, 0.4, 30.0)
    assert contrast_similarity(source, contrast((image, labels))) > 0.9
    assert contrast_similarity(source, contrast((image, 1 - labels))) < -0.9


def test_exchanged_labels_pass_every_other_limit_and_are_refused(source: tuple[float, ...]) -> None:
    """Under the defaults (a prior balances the shares, one round): precision is 0, nothing else shows it."""
    image, labels = town(4, 0.4, 30.0)
    exchanged = 1 - labels
    prior, limits = (0.75, 0.25), CollapseLimits(max_shift=4.0)
    assert collapse_reason(prior, prior, limits) is None
    reason = collapse_reason(
        prior, prior, limits, contrast=contrast_similarity(source, contrast((image, exchanged)))
    )
    assert reason is not None
    assert "the classes look exchanged" in reason
    right = contrast_similarity(source, contrast((image, labels)))
    assert collapse_reason(prior, prior, limits, contrast=right) is None


def test_pixels_ignored_or_near_no_data_say_nothing(source: tuple[float, ...]) -> None:
    image, labels = town(5, 1.0, 0.0)
    border = labels.copy()
    border[:, -20:] = 1 - border[:, -20:]
    assert contrast((image, border)) == contrast((image, labels))
    none = np.full_like(labels, IGNORE)
    assert contrast((image, none)) == (0.0,) * 16
    assert contrast_similarity(source, contrast((image, none))) == 1.0, "nothing is known against them"


def test_few_tiles_are_looked_at() -> None:
    assert looked_at(3) == {0, 1, 2}
    chosen = looked_at(1000)
    assert (len(chosen), min(chosen), max(chosen)) == (16, 0, 999)
