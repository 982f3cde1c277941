"""Buildings are the same for every division of a scene, and equal to the truth on a perfect map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from components.lib.geo.rasterise import rasterise_instances
from components.lib.mapping.drawing import Outlines
from tests.lib.mapping.planted import Planted, content, drawer, noisy, planted, run

WHOLE = 10_000
LOOSE: dict[str, Any] = {"min_area_px": 2, "min_seed_px": 2, "seed_threshold": 0.3, "simplify_px": 1.0}


@pytest.fixture(scope="module")
def thousand() -> Planted:
    """On seams, on corners of four blocks, larger than a block, touching, with yards, at the edge."""
    return planted(31, 1000)


@pytest.mark.parametrize("side", [64, 150, WHOLE])
def test_each_of_a_thousand_buildings_is_one_polygon_equal_to_the_truth(thousand: Planted, side: int) -> None:
    found = run(thousand.levels, side, drawer())
    assert len(found) == len(thousand.polygons) == 1000
    assert (found.confidences == 1.0).all()
    exact = [polygon for polygon, exact in zip(thousand.polygons, thousand.exact, strict=True) if exact]
    assert len(exact) > 800
    assert {bytes(polygon.wkb) for polygon in shapely.normalize(exact)} <= set(content(found)[0])
    # The others are turned, and equal as sets of pixels.
    shape = thousand.levels.shape[1], thousand.levels.shape[2]
    truth = rasterise_instances(thousand.polygons, *shape)
    drawn = rasterise_instances(list(found.geometries), *shape)
    pairs = set(zip(truth.ravel().tolist(), drawn.ravel().tolist(), strict=True))
    assert (0, 0) in pairs
    assert len(pairs) == 1001, "one to one, and background to background"


@pytest.mark.parametrize("outlines", ["raw", "simplified", "regular"])
@pytest.mark.parametrize("vectorise", ["plain", "watershed"])
def test_polygons_and_confidences_do_not_depend_on_the_blocks(vectorise: str, outlines: Outlines) -> None:
    levels = noisy(planted(3 if outlines == "regular" else 5, 60, ()).levels, 0)
    rules = drawer(vectorise, outlines)
    whole = content(run(levels, WHOLE, rules))
    assert len(whole[0]) >= 4
    for seed, side in enumerate((64, 33, 29)):
        assert content(run(levels, side, rules, seed)) == whole


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    side=st.integers(9, 40),
    vectorise=st.sampled_from(["plain", "watershed"]),
    outlines=st.sampled_from(["raw", "simplified"]),
    share=st.floats(0.1, 0.6),
    grain=st.integers(1, 4),
    steps=st.sampled_from([2, 3, 128]),
)
def test_noise_is_drawn_alike_for_every_division(
    seed: int, side: int, vectorise: str, outlines: Outlines, share: float, grain: int, steps: int
) -> None:
    random = np.random.default_rng(seed)
    height, width = random.integers(20, 61, 2).tolist()
    # Blobs of full probability make ties; contact and edge of few steps part them into several seeds.
    levels = 1 + random.integers(0, steps, (4, height, width)) * 127 // (steps - 1)
    blobs = np.kron(random.random((height, width)) < share, np.ones((grain, grain)))[:height, :width]
    levels[:2] = np.where(blobs, 255 - levels[:2] * (steps > 3), 1)
    noise = levels.astype(np.uint8)
    rules = drawer(vectorise, outlines, **LOOSE)
    assert content(run(noise, side, rules, seed)) == content(run(noise, WHOLE, rules))
