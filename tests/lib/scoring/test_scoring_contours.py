from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from components.lib.config.scoring import ScoringSettings
from components.lib.inference.views import View, predict_view
from components.lib.metrics.counts import count_pixels
from components.lib.nets.network import Maps
from components.lib.scoring.score import Scores, score_model, score_variants
from components.lib.store.store import Store
from components.lib.tasks.buildings import BUILDINGS
from components.lib.tasks.labels import BUILDING_BAND, LABELS, target_of
from tests.evaluate.worlds import AIRBORNE, Contoured, Pointwise, touching_boxes, write_tiny_store

PLAIN = ScoringSettings()
WATERSHED = ScoringSettings(vectorise="watershed")
ROWS = [0, 1, 2]
PIXELS = ["px_tp", "px_fp", "px_fn", "px_tn"]


class Leaning(Contoured):
    """Surer on the left than on the right: its mirrored view is another."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lean = torch.linspace(6, -4, x.shape[-1])
        return super().forward(x) * 0.1 + torch.stack([-lean, lean])[:, None] * 0.25

    def forward_maps(self, x: torch.Tensor) -> Maps:
        building = self(x)[:, 1:]
        none = torch.full_like(building, -4)
        return Maps(self(x), torch.cat([building, none, none], dim=1))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("touching") / "prepared"
    return write_tiny_store(folder, tiles=8, boxes_of=touching_boxes)


def score(net: Pointwise, store: Store, settings: ScoringSettings) -> Scores:
    return score_model(net, store, sensor=AIRBORNE, rows=ROWS, settings=settings)


def test_touching_buildings_count_as_two_where_plain_merges_them(store: Store) -> None:
    apart, merged = (score(Contoured(), store, settings) for settings in (WATERSHED, PLAIN))
    assert apart.tiles[["tp", "fp", "fn"]].to_numpy().tolist() == [[3, 0, 0]] * 3
    assert (merged.tiles["tp"] < 3).all()
    assert (merged.tiles["fn"] > 0).all()
    assert set(apart.tiles["orientation"]) == {0, 1}
    pd.testing.assert_frame_equal(apart.tiles[PIXELS], merged.tiles[PIXELS])
    assert set(apart.tiles["vectorise"]) == {"watershed"}
    assert set(merged.tiles["vectorise"]) == {"plain"}


def test_without_a_contour_head_plain_is_used_and_said(store: Store) -> None:
    wanted, plain = (score(Pointwise(), store, settings) for settings in (WATERSHED, PLAIN))
    pd.testing.assert_frame_equal(wanted.tiles, plain.tiles)
    pd.testing.assert_frame_equal(wanted.objects, plain.objects)
    assert set(wanted.tiles["vectorise"]) == {"plain"}


def test_confidence_is_the_class_maps_whatever_drew_the_polygon(store: Store) -> None:
    net = Contoured(gain=0.03)
    proposals = score(net, store, WATERSHED.model_copy(update={"seed_threshold": 0.3})).objects
    proposals = proposals[proposals["kind"] == "proposal"]
    assert len(proposals) == 9
    class_map = float(torch.tensor([-5.0, 5.0]).softmax(0)[1])
    footprint = float(torch.tensor(50 * 0.03).sigmoid())
    assert footprint < 0.9
    assert proposals["confidence"].to_numpy() == pytest.approx(class_map)


def test_tiles_are_scored_by_the_mean_of_their_views(store: Store) -> None:
    net = Leaning()
    views = [View(1.0), View(0.75), View(1.0, True), View(0.75, True)]
    settings = WATERSHED.model_copy(
        update={"scales": (1.0, 0.75), "flip": True, "seed_threshold": 0.3, "min_seed_px": 20}
    )
    scored, once = score(net, store, settings), score(net, store, WATERSHED)
    assert (scored.tiles["px_tp"] != once.tiles["px_tp"]).any(), "the views differ"
    drawn = []
    for row in ROWS:
        x = torch.from_numpy(store.layer(AIRBORNE, "sar")[[row]]).permute(0, 3, 1, 2)
        seen = [predict_view(net, x, AIRBORNE, view) for view in views]
        building = torch.stack([s.classes[0, 1] for s in seen]).mean(0).numpy()
        contours = torch.stack([s.contours[0] for s in seen if s.contours is not None]).mean(0).numpy()
        pixels = count_pixels(building > 0.5, target_of(store.layer(AIRBORNE, "target")[row]))
        found = scored.tiles.iloc[row][PIXELS].tolist()
        assert found == [pixels.tp, pixels.fp, pixels.fn, pixels.tn]
        prediction = store.tile(AIRBORNE, row, "sar").with_values(
            np.concatenate([building[np.newaxis], contours]), (BUILDING_BAND, *LABELS)
        )
        drawn.append(BUILDINGS.draw(prediction, settings, 0.5))
    confidences = np.concatenate([found.confidences for found in drawn])
    proposals = scored.objects[scored.objects["kind"] == "proposal"]
    assert proposals["confidence"].to_numpy() == pytest.approx(confidences, abs=1e-6)
    assert len(proposals) > 0


def test_variants_share_one_prediction_and_equal_single_runs(store: Store) -> None:
    variants = [PLAIN, WATERSHED, WATERSHED.model_copy(update={"seed_threshold": 0.99})]
    net = Contoured()
    together = score_variants(net, store, sensor=AIRBORNE, rows=ROWS, variants=variants)
    assert len(net.seen) == 1
    for settings, scores in zip(variants, together, strict=True):
        alone = score(Contoured(), store, settings)
        pd.testing.assert_frame_equal(scores.tiles, alone.tiles)
        pd.testing.assert_frame_equal(scores.objects, alone.objects)
    assert int(together[2].tiles["tp"].sum()) < int(together[1].tiles["tp"].sum()), "no seed is that sure"


@pytest.mark.parametrize("other", [[], [PLAIN, PLAIN.model_copy(update={"batch": 2})]])
def test_variants_that_predict_differently_are_refused(store: Store, other: list[ScoringSettings]) -> None:
    with pytest.raises(ValueError, match="predict alike"):
        score_variants(Contoured(), store, sensor=AIRBORNE, rows=ROWS, variants=other)
