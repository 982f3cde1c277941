"""The judgement on score tables of known quality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.lib.scoring.score import Scores
from components.promote.gate import Judgement, judge
from components.promote.parameters import PromoteParameters
from components.promote.reproduce import Reproduction
from components.promote.scores import CleanTestScores
from tests.promote.world import AIRBORNE, PARAMETERS, SPACEBORNE

GOOD = {"verdict": "good", "tiles": 100, "quarantined": 1}
REPRODUCED = Reproduction(True, "reproduced")


def scored(
    hits: np.ndarray[Any, Any] | float,
    *,
    sensors: tuple[str, ...] = (AIRBORNE,),
    locations: int = 30,
    found_small: float = 0.5,
    untested: tuple[str, ...] = (),
) -> CleanTestScores:
    """Tiles of 1000 building pixels, of which ``hits`` (a share, or one per location) are found."""
    share = np.broadcast_to(np.asarray(hits, dtype=float), (locations,))
    tiles, objects = [], []
    for sensor in sensors:
        for k, part in enumerate(share):
            key = {"acquisition": sensor, "sensor": sensor, "image_id": f"i{k}", "location": f"l{k}"}
            tp = round(1000 * part)
            tiles.append(
                {
                    **key,
                    "orientation": k % 2,
                    "nodata_share": 0.3 * (k % 3 == 0),
                    "clean": True,
                    "px_tp": tp,
                    "px_fp": 100,
                    "px_fn": 1000 - tp,
                    "px_tn": 9000,
                    "tp": 1,
                    "fp": 0,
                    "fn": 1,
                }
            )
            for area in (200.0, 900.0):
                found = area > 400 or (k / locations) < found_small
                objects.append({**key, "kind": "truth", "matched": found, "area_px": area})
    return CleanTestScores(
        (*sensors, *untested), untested, Scores(pd.DataFrame(tiles), pd.DataFrame(objects))
    )


def judged(challenger: CleanTestScores, champion: CleanTestScores | None, **changes: Any) -> Judgement:
    settings: dict[str, Any] = {"verdict": GOOD, "reproduction": REPRODUCED, "parameters": PARAMETERS}
    return judge(challenger, champion, **{**settings, **changes})


def failed(judgement: Judgement) -> list[str]:
    return [check.name for check in judgement.checks if not check.passed]


def with_parameters(**changes: Any) -> PromoteParameters:
    return PARAMETERS.model_copy(update=changes)


NOISE = np.random.default_rng(1).normal(0, 0.02, 30)
PLACES = np.random.default_rng(2).uniform(0.3, 0.7, 30)


def test_a_better_model_is_promoted_although_places_differ_far_more() -> None:
    judgement = judged(scored(PLACES + 0.05 + NOISE), scored(PLACES))
    assert judgement.promoted
    assert failed(judgement) == []
    assert judgement.gain is not None
    assert judgement.challenger is not None
    assert judgement.champion is not None
    assert judgement.gain.lower_bound > 0.03
    # The models' own intervals overlap: only pairing by location tells them apart.
    assert judgement.challenger.low < judgement.champion.high
    assert judgement.gain.value == pytest.approx(judgement.challenger.value - judgement.champion.value)


def test_an_equal_model_is_refused() -> None:
    judgement = judged(scored(PLACES), scored(PLACES))
    assert failed(judgement) == ["gain"]
    assert judgement.gain is not None
    assert (judgement.gain.value, judgement.gain.lower_bound) == (0.0, 0.0)
    assert "the bound must exceed 0.0000" in judgement.failures[0]


def test_a_gain_within_the_noise_is_refused() -> None:
    judgement = judged(scored(PLACES + 0.002 + NOISE), scored(PLACES))
    assert judgement.gain is not None
    assert judgement.gain.value > 0 > judgement.gain.lower_bound
    assert failed(judgement) == ["gain"]


def test_a_worse_model_is_refused_and_every_reason_is_told() -> None:
    judgement = judged(scored(PLACES - 0.1), scored(PLACES))
    assert failed(judgement) == ["gain", "guards"]
    assert len(judgement.failures) == 2
    assert "orientation/from-north" in judgement.failures[1]


def test_a_gain_below_the_required_one_is_refused() -> None:
    challenger, champion = scored(PLACES + 0.05), scored(PLACES)
    assert judged(challenger, champion, parameters=with_parameters(min_gain=0.04)).promoted
    assert failed(judged(challenger, champion, parameters=with_parameters(min_gain=0.06))) == ["gain"]


def test_a_guarded_slice_that_falls_refuses_a_gain_over_all() -> None:
    south = np.arange(30) % 2 == 1
    judgement = judged(scored(PLACES + np.where(south, -0.05, 0.3)), scored(PLACES))
    assert judgement.gain is not None
    assert judgement.gain.lower_bound > 0
    assert failed(judgement) == ["guards"]
    assert "orientation/from-south" in judgement.failures[0]
    assert "orientation/from-north" not in judgement.failures[0]
    relaxed = with_parameters(guard_margin=0.1)
    assert judged(scored(PLACES + np.where(south, -0.05, 0.3)), scored(PLACES), parameters=relaxed).promoted
    unguarded = with_parameters(guard_slices=("nodata", "sensor"))
    assert judged(scored(PLACES + np.where(south, -0.05, 0.3)), scored(PLACES), parameters=unguarded).promoted


def test_small_buildings_are_guarded_by_their_own_score() -> None:
    judgement = judged(scored(PLACES + 0.1, found_small=0.2), scored(PLACES, found_small=0.6))
    assert failed(judgement) == ["guards"]
    assert "building_size/small -" in judgement.failures[0]
    guard = next(g for g in judgement.guards if g.slice == "building_size/small")
    assert guard.metric == "f1"
    assert guard.challenger == pytest.approx(2 * 6 / (2 * 6 + 24))
    assert guard.champion == pytest.approx(2 * 18 / (2 * 18 + 12))


def test_the_adapted_sensor_is_guarded_against_a_gain_on_the_other() -> None:
    champion = scored(PLACES, sensors=(AIRBORNE, SPACEBORNE))
    airborne, spaceborne = scored(PLACES + 0.2), scored(PLACES - 0.05, sensors=(SPACEBORNE,))
    assert airborne.scores is not None
    assert spaceborne.scores is not None
    both = Scores(
        pd.concat([airborne.scores.tiles, spaceborne.scores.tiles]),
        pd.concat([airborne.scores.objects, spaceborne.scores.objects]),
    )
    judgement = judged(CleanTestScores((AIRBORNE, SPACEBORNE), (), both), champion)
    assert judgement.gain is not None
    assert judgement.gain.lower_bound > 0
    assert failed(judgement) == ["guards"]
    assert f"sensor/{SPACEBORNE}" in judgement.failures[0]


def test_a_bad_verdict_refuses_whatever_the_scores() -> None:
    for verdict in ({"verdict": "bad"}, {}, {"verdict": True}):
        judgement = judged(scored(PLACES + 0.1), scored(PLACES), verdict=verdict)
        assert failed(judgement) == ["data"]
        assert failed(judged(scored(PLACES), None, verdict=verdict)) == ["data"]


def test_an_artefact_that_does_not_reproduce_is_refused() -> None:
    broken = Reproduction(False, "its scores differ")
    assert failed(judged(scored(PLACES + 0.1), scored(PLACES), reproduction=broken)) == ["reproduction"]
    assert judged(scored(PLACES), None, reproduction=broken).failures == ["its scores differ"]


def test_the_first_model_needs_no_champion_to_beat() -> None:
    judgement = judged(scored(0.01), None)
    assert judgement.promoted
    assert judgement.gain is None
    assert judgement.guards == ()
    assert judgement.challenger is not None


def test_a_single_location_proves_nothing() -> None:
    judgement = judged(scored(0.9, locations=1), scored(0.1, locations=1))
    assert failed(judgement) == ["gain"]
    assert "one location only" in judgement.failures[0]


def test_a_sensor_without_clean_tiles_is_not_tested() -> None:
    judgement = judged(scored(PLACES, untested=(SPACEBORNE,)), None)
    assert failed(judgement) == ["ground"]
    assert SPACEBORNE in judgement.failures[0]


def test_a_model_that_loses_a_sensor_is_refused() -> None:
    judgement = judged(scored(PLACES + 0.1), scored(PLACES, sensors=(AIRBORNE, SPACEBORNE)))
    assert failed(judgement) == ["sensors"]
    assert judgement.sensors == (AIRBORNE,)


def test_a_model_that_learned_a_sensor_is_compared_on_the_old_one() -> None:
    judgement = judged(scored(PLACES + 0.1, sensors=(AIRBORNE, SPACEBORNE)), scored(PLACES))
    assert judgement.promoted
    assert judgement.sensors == (AIRBORNE,)
    assert judgement.tiles == 30


def test_without_any_tile_nothing_is_promoted() -> None:
    nothing = CleanTestScores((AIRBORNE,), (AIRBORNE,), None)
    assert failed(judged(nothing, scored(PLACES))) == ["ground", "gain"]
    assert failed(judged(nothing, None)) == ["ground"]


def test_the_digest_sees_the_last_bit() -> None:
    one, same, other = scored(PLACES), scored(PLACES), scored(PLACES)
    assert other.scores is not None
    areas = other.scores.objects["area_px"].to_numpy(copy=True)
    areas[3] = np.nextafter(areas[3], np.inf)
    other.scores.objects["area_px"] = areas
    assert one.digest == same.digest != other.digest


def test_a_first_model_that_finds_nothing_is_refused() -> None:
    floor = PARAMETERS.model_copy(update={"floor": 0.2})
    poor = judged(scored(0.05), None, parameters=floor)
    assert not poor.promoted
    assert poor.failures == ["the lower bound of iou, 0.0455, is below the floor of 0.2"]
    assert judged(scored(0.5), None, parameters=floor).promoted
