"""Offsets of images from outlines."""

from __future__ import annotations

import numpy as np
import pytest

from components.lib.drift.geolocation import offset_px, outline_offsets


@pytest.fixture(scope="module")
def buildings() -> np.ndarray:
    rng = np.random.default_rng(2)
    mask = np.zeros((96, 120), dtype=bool)
    for top, left in zip(rng.integers(10, 76, 12), rng.integers(10, 96, 12), strict=True):
        mask[top : top + 9, left : left + 14] = True
    return mask


@pytest.mark.parametrize("moved", [(0, 0), (3, -5), (-7, 2)])
def test_the_offset_is_found_through_noise(buildings: np.ndarray, moved: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    bright = np.roll(np.where(buildings, 8.0, 0.0), moved, axis=(0, 1))
    image = (30.0 + bright + rng.normal(0, 4.0, bright.shape)).astype(np.float32)
    valid = np.ones(buildings.shape, dtype=bool)
    valid[:, :15] = False
    found = offset_px(image, valid, buildings)
    assert found is not None
    assert np.abs(np.subtract(found, moved)).max() <= 1


def test_ground_without_buildings_has_no_offset(buildings: np.ndarray) -> None:
    valid, image = np.ones(buildings.shape, dtype=bool), np.ones(buildings.shape, dtype=np.float32)
    assert offset_px(image, valid, np.zeros_like(buildings)) is None
    assert offset_px(image, ~valid, buildings) is None


def test_an_image_of_values_beyond_reason_has_no_offset(buildings: np.ndarray) -> None:
    image = np.where(buildings, np.float32(3e38), np.float32(1.0))
    assert offset_px(image, np.ones(buildings.shape, dtype=bool), buildings) is None


@pytest.mark.parametrize(("orientation", "range_m"), [(0, 6.0), (1, -6.0), (None, None)])
def test_offsets_are_metres_east_and_away_from_the_radar(
    buildings: np.ndarray, orientation: int | None, range_m: float | None
) -> None:
    image = np.roll(np.where(buildings, 8.0, 0.0), (3, -5), axis=(0, 1)).astype(np.float32)
    valid = np.ones(buildings.shape, dtype=bool)
    found = outline_offsets(image, valid, buildings, pixel_m=(0.5, 2.0), orientation=orientation)
    expected = {"offset_east_m": -2.5} | ({} if range_m is None else {"offset_range_m": range_m})
    assert found == expected
    assert outline_offsets(image, valid, ~valid, pixel_m=(0.5, 2.0), orientation=orientation) == {}
