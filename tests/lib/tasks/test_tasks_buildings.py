from __future__ import annotations

import numpy as np
import pytest
import shapely

from components.lib.config.scoring import ScoringSettings
from components.lib.geo.rasterise import rasterise_targets
from components.lib.tasks.buildings import BUILDINGS
from components.lib.tasks.labels import BUILDING_BAND, LABELS, pack_masks, target_of
from tests.lib.geo.arrays import geo_array

BOXES = [(4, 6, 24, 40), (24, 6, 50, 40)]
"""Two buildings that share a wall."""

WATERSHED = ScoringSettings(vectorise="watershed")


def masks() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return rasterise_targets([shapely.box(*b) for b in BOXES], 64, 64, edge_px=3, contact_px=9)


def test_the_truth_is_the_first_label_of_the_packed_layer() -> None:
    packed = pack_masks(masks())
    assert packed.shape == (64, 64, 1)
    assert np.array_equal(BUILDINGS.truth_mask(packed), masks()[..., LABELS.index("footprint")] > 0)
    assert np.array_equal(target_of(packed), BUILDINGS.truth_mask(packed))
    for bit, label in enumerate(BUILDINGS.labels):
        assert np.array_equal(packed[..., 0] >> bit & 1, masks()[..., LABELS.index(label)])


@pytest.mark.parametrize("orientation", [0, 1])
def test_contours_decide_which_vectoriser_draws(orientation: int) -> None:
    channels = [np.rot90(masks()[..., k], 2 * orientation).astype(np.float32) for k in range(len(LABELS))]
    bare = geo_array(channels[0], orientation=orientation)
    contoured = geo_array(channels[0], *channels, orientation=orientation, bands=(BUILDING_BAND, *LABELS))
    assert BUILDINGS.vectoriser(bare, WATERSHED) == "plain"
    assert BUILDINGS.vectoriser(contoured, WATERSHED) == "watershed"
    assert BUILDINGS.vectoriser(contoured, ScoringSettings()) == "plain"
    assert len(BUILDINGS.draw(bare, WATERSHED, 0.5)) == 1
    apart = BUILDINGS.draw(contoured, WATERSHED, 0.5)
    assert {shapely.normalize(p).wkt for p in apart.geometries} == {
        shapely.normalize(shapely.box(*box)).wkt for box in BOXES
    }


def test_matching_follows_the_settings() -> None:
    truth = np.array([shapely.box(0, 0, 10, 10)], dtype=object)
    proposal = np.array([shapely.box(0, 0, 10, 16)], dtype=object)
    tiles, confidence = np.zeros(1, dtype=int), np.ones(1)

    def found(**settings: float) -> int:
        matches = BUILDINGS.match(
            truth,
            proposal,
            truth_tiles=tiles,
            proposal_tiles=tiles,
            confidence=confidence,
            settings=ScoringSettings.model_validate(settings),
        )
        return matches.counts.tp

    assert (found(), found(iou=0.7), found(min_area_px=120)) == (1, 0, 0)


def test_objects_are_drawn_from_the_footprint_or_from_the_class_map() -> None:
    building, footprint = (np.full((2, 3), p, dtype=np.float32) for p in (0.6, 0.4))
    rest = np.zeros((2, 3), dtype=np.float32)
    bands = (BUILDING_BAND, *LABELS)
    prediction = geo_array(building, footprint, rest, rest, bands=bands)
    assert BUILDINGS.drawn_mask(prediction, ScoringSettings(vectorise="plain"), 0.5).all()
    assert not BUILDINGS.drawn_mask(prediction, WATERSHED, 0.5).any()
    assert BUILDINGS.drawn_mask(prediction, WATERSHED, 0.3).all()
    assert not BUILDINGS.drawn_mask(prediction, WATERSHED, float(np.float32(0.4))).any(), "above, not at"
