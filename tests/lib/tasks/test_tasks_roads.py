from __future__ import annotations

import numpy as np
import pytest

from components.lib.config.scoring import ScoringSettings
from components.lib.tasks.labels import LABELS_OF, ROAD_LABELS, ignored_of, pack_masks, target_of
from components.lib.tasks.names import TASK_NAMES, TaskName
from components.lib.tasks.registry import TASKS, load_task
from components.lib.tasks.roads import ROADS
from tests.lib.geo.arrays import geo_array

MASKS = np.zeros((8, 8, 3), dtype=np.uint8)
MASKS[2:4, :, ROAD_LABELS.index("road")] = 1
MASKS[3, :, ROAD_LABELS.index("centre")] = 1
MASKS[6, :, ROAD_LABELS.index("ignore")] = 1


@pytest.mark.parametrize("name", TASK_NAMES)
def test_every_task_has_its_name_and_one_byte_of_labels(name: TaskName) -> None:
    assert load_task(name).name == name
    assert load_task(name).labels == LABELS_OF[name]
    assert len(LABELS_OF[name]) == 3, "the engine unpacks so many bits, whatever the task"
    assert set(TASKS) == set(TASK_NAMES)


def test_the_first_bit_is_the_road_and_the_last_counts_in_no_score() -> None:
    packed = pack_masks(MASKS)
    assert np.array_equal(ROADS.truth_mask(packed), MASKS[..., 0] > 0)
    assert np.array_equal(target_of(packed), MASKS[..., 0] > 0)
    assert np.array_equal(ROADS.counted_mask(packed), MASKS[..., 2] == 0)
    assert not ignored_of(packed, "buildings").any(), "the same bit is a contact of two buildings"


def test_predictions_are_pixels_and_no_objects() -> None:
    probability = MASKS[..., 0].astype(np.float32) * 0.8
    prediction = geo_array(probability, bands=("road",))
    settings = ScoringSettings()
    assert np.array_equal(ROADS.predicted_mask(prediction, 0.5), MASKS[..., 0] > 0)
    assert np.array_equal(ROADS.drawn_mask(prediction, settings, 0.5), MASKS[..., 0] > 0)
    assert ROADS.vectoriser(prediction, settings) == "none"
    drawn = ROADS.draw(prediction, settings, 0.5)
    assert len(drawn) == 0
    none = np.empty(0, dtype=object)
    matches = ROADS.match(
        none,
        drawn.geometries,
        truth_tiles=np.empty(0, dtype=int),
        proposal_tiles=np.empty(0, dtype=int),
        confidence=drawn.confidences,
        settings=settings,
    )
    assert len(matches.truth_kept) == len(matches.proposal_kept) == 0


def test_relaxed_scores_have_the_tolerance_in_metres() -> None:
    truth, predicted = np.zeros((40, 40), dtype=bool), np.zeros((40, 40), dtype=bool)
    truth[10], predicted[18] = True, True
    everywhere = np.ones_like(truth)
    near = ROADS.relaxed(predicted, truth, everywhere, 0.5)
    far = ROADS.relaxed(predicted, truth, everywhere, 1.0)
    assert near is not None
    assert far is not None
    assert (near.by_length()["recall"], far.by_length()["recall"]) == (1.0, 0.0)
