"""Shifts of a mask against its image are found, or said to be unknown."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest

from components.lib.geo.spans import draw_lines
from components.lib.osm.masks import Drawing
from components.lib.osm.quality import age_days, measure
from components.lib.osm.shift import estimate_shift
from components.lib.osm.terms import OBJECT

SIDE, GSD_M = 160, 0.5


def roads() -> np.ndarray:
    ends = np.random.default_rng(1).uniform(0, SIDE, (5, 4))
    return draw_lines(ends, np.full(5, 4.0), SIDE, SIDE)


def image_of(objects: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(2).normal(100, 8, (SIDE, SIDE, 3))
    return (noise + 20.0 * objects[..., None]).astype(np.float32)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (4, -6), (-7, 3)])
def test_a_known_shift_is_found(down: int, right: int) -> None:
    mask = roads()
    moved = np.roll(mask, (down, right), axis=(0, 1))
    shift = estimate_shift(mask, image_of(moved), np.ones_like(mask), GSD_M)
    assert shift.unknown == ""
    assert shift.east_m == pytest.approx(right * GSD_M, abs=GSD_M)
    assert shift.north_m == pytest.approx(-down * GSD_M, abs=GSD_M)


def test_what_cannot_be_told_has_a_reason() -> None:
    mask = roads()
    flat = np.full((SIDE, SIDE, 3), 7.0, dtype=np.float32)
    valid = np.ones_like(mask)
    assert "look like their surroundings" in estimate_shift(mask, flat, valid, GSD_M).unknown
    assert estimate_shift(np.zeros_like(mask), image_of(mask), valid, GSD_M).unknown != ""
    short = Drawing(np.where(mask, OBJECT, 0).astype(np.uint8), 1, 150.0, valid)
    found = measure("roads", short, ~valid, image_of(mask), GSD_M)
    assert (found["shift_unknown"], found["covered_share"]) == ("less than 200 m of roads", 1.0)
    assert math.isnan(found["shift_east_m"])


def test_age_is_that_of_the_extract_less_that_of_the_image() -> None:
    assert age_days(dt.date(2019, 8, 14), "20190804111224_20190804111453") == 10.0
    assert math.isnan(age_days(dt.date(2019, 8, 14), "strip"))
