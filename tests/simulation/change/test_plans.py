from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from components.lib.config.loader import load_parameters
from components.lib.datasets.rehearsal import REHEARSAL
from components.pairs.parameters import PairsParameters
from components.simulation.change.parameters import SimulatedPairsParameters
from components.simulation.change.plans import PairPlan, plan_pairs
from components.simulation.frame import GSD_M

CLEAN_M = 595759.87
"""West edge of the first tile of ``sn6-clean`` (docs/methods/spacenet6.md)."""


@pytest.fixture(scope="module")
def plans() -> list[PairPlan]:
    return plan_pairs(SimulatedPairsParameters())


def ground(plans: list[PairPlan], split: str) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([shapely.box(*plan.frame.bounds) for plan in plans if plan.split == split])


def test_splits_have_their_counts_in_order(plans: list[PairPlan]) -> None:
    assert [plan.split for plan in plans] == ["train"] * 24 + ["val"] * 8 + ["test"] * 16


@pytest.mark.parametrize(("pairs", "tile_px"), [(3, 64), (48, 384), (48, 700), (300, 450)])
def test_no_two_pairs_share_ground_and_splits_lie_apart(pairs: int, tile_px: int) -> None:
    plans = plan_pairs(SimulatedPairsParameters(pairs=pairs, tile_px=tile_px))
    assert len({plan.scene for plan in plans}) == len({plan.name for plan in plans}) == len(plans) == pairs
    boxes = [shapely.box(*plan.frame.bounds) for plan in plans]
    first, second = shapely.STRtree(boxes).query(boxes, predicate="dwithin", distance=99.0)
    assert (first == second).all()
    train, val, test = (ground(plans, split) for split in ("train", "val", "test"))
    assert min(train.distance(val), val.distance(test), train.distance(test)) > 400
    split = REHEARSAL.split
    assert train.bounds[2] < split.west_m + 0.6 * (split.east_m - split.west_m)
    assert test.bounds[0] >= CLEAN_M


def test_misregistration_stays_within_its_limit_and_is_below_a_pixel_too(plans: list[PairPlan]) -> None:
    for name in ("optical_shift", "sar_shift"):
        length = np.array([np.hypot(*getattr(plan, name)) for plan in plans]) / GSD_M
        assert length.max() <= 2.0
        assert length.max() > 1.7
        assert length.min() < 0.8
    exact = plan_pairs(SimulatedPairsParameters(misregistration_px=0.0))
    assert all(plan.optical_shift == plan.sar_shift == (0.0, 0.0) for plan in exact)


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 12, 36), (1.0, 48, 48)])
def test_the_second_look_is_from_the_other_side_as_often_as_asked(share: float, low: int, high: int) -> None:
    plans = plan_pairs(SimulatedPairsParameters(opposite_look=share))
    turned = sum(plan.from_south[0] != plan.from_south[1] for plan in plans)
    assert low <= turned <= high
    assert {plan.from_south[0] for plan in plans} == {False, True}


def test_one_parameter_changes_nothing_that_it_does_not_draw(plans: list[PairPlan]) -> None:
    others = plan_pairs(SimulatedPairsParameters(opposite_look=1.0, misregistration_px=1.0, swath_edge=0.0))
    for plan, other in zip(plans, others, strict=True):
        assert (plan.block, plan.frame, plan.conditions) == (other.block, other.frame, other.conditions)
        assert plan.from_south[0] == other.from_south[0]
        assert np.allclose(np.array(plan.sar_shift), 2 * np.array(other.sar_shift))


def test_swaths_end_in_their_share_of_the_pairs(plans: list[PairPlan]) -> None:
    ending = [plan for plan in plans if plan.unseen]
    assert 4 <= len(ending) <= 20
    for plan in ending:
        assert (~plan.seen).mean() == pytest.approx(abs(plan.unseen), abs=0.01)
        dark = ~plan.seen
        assert dark[0].all() if plan.unseen > 0 else dark[-1].all()
    assert all(plan.seen.all() for plan in plans if not plan.unseen)


def test_light_and_view_differ_between_pairs(plans: list[PairPlan]) -> None:
    elevation = np.degrees([plan.conditions.sun_elevation for plan in plans])
    assert elevation.min() < 30
    assert elevation.max() > 50
    assert len({plan.conditions.traffic for plan in plans}) == len(plans)
    assert all(0 <= plan.conditions.haze <= 0.25 for plan in plans)


def test_the_parameter_file_has_the_shares_of_the_decision(repository: Path) -> None:
    stated = load_parameters("pairs", PairsParameters, repository / "params.yaml").simulated
    assert stated == SimulatedPairsParameters.model_validate({})
