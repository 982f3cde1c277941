from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from rasterio.features import rasterize

from components.lib.change.pair import Pair
from components.lib.change.terms import BANDS, CHANGED, UNCHANGED, UNKNOWN
from components.simulation.change.imaging import Date, optical_image, radar_image
from components.simulation.change.later_city import later_city_of
from components.simulation.change.pairs import draw_pair, simulated_pairs
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.plans import plan_pairs
from components.simulation.city import City, city_of
from components.simulation.conditions import AUGUST
from components.simulation.frame import GSD_M, Frame, Mask
from tests.simulation.change.conftest import SMALLEST

FIRST_DATE = Date(city_of(7), lambda _: ())


def same(first: Pair, second: Pair) -> bool:
    """Compare two pairs, arrays by their content."""
    for field in fields(Pair):
        mine, theirs = getattr(first, field.name), getattr(second, field.name)
        if field.name in {"before", "after"}:
            equal = all(np.array_equal(mine[m], theirs[m]) for m in BANDS)
        elif field.name == "label":
            equal = np.array_equal(mine, theirs)
        else:
            equal = mine == theirs
        if not equal:
            return False
    return True


def footprints(city: City, frame: Frame) -> Mask:
    """Rasterise all footprints of ``frame``, by the transform of rasterio, not by our own."""
    polygons = city.objects_in(frame.bounds).polygons
    to_ground = (frame.gsd, 0.0, frame.x_left, 0.0, -frame.gsd, frame.y_top)
    burnt: Mask = rasterize(list(polygons), (frame.rows, frame.cols), transform=to_ground) > 0
    return burnt


def test_pairs_have_all_bands_and_a_place(pairs: list[Pair]) -> None:
    assert [pair.split for pair in pairs] == ["train", "val", "test"]
    for pair in pairs:
        for date in (pair.before, pair.after):
            for modality, bands in BANDS.items():
                assert date[modality].shape == (112, 112, len(bands))
                assert date[modality].dtype == np.uint8
        assert pair.place is not None
        assert pair.crs == "EPSG:32631"


def test_same_seed_same_pairs_and_workers_do_not_matter(pairs: list[Pair]) -> None:
    together = list(simulated_pairs(SMALLEST, workers=2))
    assert all(same(one, other) for one, other in zip(pairs, together, strict=True))


def test_label_is_where_exactly_one_date_has_a_building(pairs: list[Pair]) -> None:
    total = 0
    for pair, plan in zip(pairs, plan_pairs(SMALLEST), strict=True):
        before = footprints(city_of(SMALLEST.seed), plan.frame)
        after = footprints(later_city_of(SMALLEST), plan.frame)
        known = pair.label != UNKNOWN
        # An extension and its house share a wall: a pixel's centre may lie on it.
        wrong = ((before != after) != (pair.label == CHANGED)) & known
        assert np.count_nonzero(wrong) <= 2
        total += int(np.count_nonzero(pair.label == CHANGED))
    assert total > 300


def test_label_is_the_outlines_of_the_changed_buildings(pairs: list[Pair]) -> None:
    for pair in pairs:
        if not pair.buildings:
            assert not (pair.label == CHANGED).any()
            continue
        burnt = rasterize([b.outline for b in pair.buildings], pair.label.shape)
        known = pair.label != UNKNOWN
        assert np.array_equal(burnt[known], (pair.label == CHANGED)[known])


def test_pixels_that_the_second_radar_does_not_see_are_unknown(pairs: list[Pair]) -> None:
    for pair in pairs:
        dark = ~pair.after["sar"].any(axis=-1)
        assert 0.03 < dark.mean() < 0.3
        assert np.array_equal(dark, pair.label == UNKNOWN)
        assert pair.before["sar"].any(axis=-1).all()


def test_first_date_knows_nothing_of_the_second(pairs: list[Pair]) -> None:
    without = SMALLEST.model_copy(
        update={"added": 0.0, "removed": 0.0, "enlarged": 0.0, "re_roofed": 0.0, "raised": 0.0}
    )
    pair = draw_pair(without, plan_pairs(without)[0])
    assert not pair.buildings
    assert set(np.unique(pair.label)) == {UNCHANGED, UNKNOWN}
    for modality in BANDS:
        assert np.array_equal(pair.before[modality], pairs[0].before[modality])


def test_roofs_and_storeys_are_no_change_though_they_show(pairs: list[Pair]) -> None:
    shares = {"added": 0.0, "removed": 0.0, "enlarged": 0.0, "swath_edge": 0.0}
    still = SMALLEST.model_copy(update={**shares, "re_roofed": 0.0, "raised": 0.0})
    renewed = SMALLEST.model_copy(update={**shares, "re_roofed": 0.5, "raised": 0.5})
    plan = plan_pairs(renewed)[0]
    assert later_city_of(renewed).alterations_in(plan.frame.bounds)
    first, second = draw_pair(still, plan), draw_pair(renewed, plan)
    assert not second.label.any()
    assert not second.buildings
    for modality in BANDS:
        difference = np.abs(first.after[modality].astype(int) - second.after[modality]).max(axis=-1)
        assert (difference > 15).mean() > 0.03


def test_an_image_displaced_by_whole_pixels_shows_the_same_ground_beside() -> None:
    frame = Frame(594700.0, 5750300.0, GSD_M, 64, 64)
    beside = Frame(frame.x_left - 2 * GSD_M, frame.y_top - GSD_M, GSD_M, 64, 64)
    still, displaced = (optical_image(FIRST_DATE, place, AUGUST) for place in (frame, beside))
    assert (displaced[:-1, 2:] == still[1:, :-2]).mean() > 0.99
    assert (displaced == still).mean() < 0.5


def test_layover_falls_to_the_side_that_the_radar_looks_from() -> None:
    frame = Frame(594700.0, 5750300.0, GSD_M, 200, 200)
    built = footprints(city_of(7), frame)
    seen = np.ones(built.shape, dtype=bool)
    gain = {}
    for from_south in (False, True):
        hh = radar_image(FIRST_DATE, frame, seen, [1], from_south=from_south)[..., 0].astype(float)
        north, south = built[8:] & ~built[:-8], built[:-8] & ~built[8:]
        gain[from_south] = hh[:-8][north].mean() - hh[8:][south].mean()
    assert gain[False] > 3
    assert gain[True] < -3


def test_clouds_lie_over_the_second_optical_image_and_nothing_else(pairs: list[Pair]) -> None:
    cloudy = SMALLEST.model_copy(update={"cloud_share": 0.3})
    pair = draw_pair(cloudy, plan_pairs(cloudy)[0])
    assert not np.array_equal(pair.after["optical"], pairs[0].after["optical"])
    assert np.array_equal(pair.after["sar"], pairs[0].after["sar"])
    assert np.array_equal(pair.before["optical"], pairs[0].before["optical"])
    assert np.array_equal(pair.label, pairs[0].label)


def test_shares_beyond_all_buildings_are_refused() -> None:
    with pytest.raises(ValueError, match="add up to more than 1"):
        SimulatedPairsParameters(removed=0.5, enlarged=0.4, re_roofed=0.2)
