"""The threshold of a model: chosen on the selection slice, carried with it, used wherever it is scored."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from components.lib.config.scoring import ScoringSettings
from components.lib.engine.selection import choose_threshold, pixel_histogram, pixel_scores
from components.lib.metrics.counts import Counts
from components.lib.nets.bundle import load_bundle, save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.scoring.score import Scores, score_model
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE, Pointwise, write_tiny_store


class Undertrained(Pointwise):
    """Right about where buildings are, but never sure: 0.3 on buildings, 0.1 elsewhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        building = torch.where(x[:, :1].float() > 150, 0.3, 0.1)
        return torch.cat([(1 - building).log(), building.log()], dim=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return write_tiny_store(tmp_path / "prepared", tiles=8, selection=(5,))


def test_a_network_that_is_never_sure_is_not_punished(store: Store) -> None:
    net = Undertrained()
    rows = store.rows(AIRBORNE, "selection")
    histogram = pixel_histogram(net, store, AIRBORNE, rows, device=torch.device("cpu"))
    before = score(net, store, "model")
    assert (Counts.of_pixels(before.tiles).iou, int(before.tiles["tp"].sum())) == (0.0, 0)
    choose_threshold(net, histogram)
    assert 0.1 < net.config.threshold < 0.3
    found = pixel_scores(histogram, net.config.threshold)
    assert (found["iou"], found["iou_half"], found["pr_auc"]) == (1.0, 0.0, 1.0)
    after = score(net, store, "model")
    assert Counts.of_pixels(after.tiles).iou == 1.0
    assert Counts.of_half(after.tiles).iou == 0.0
    assert after.tiles[["tp", "fp", "fn"]].sum().tolist() == [15, 0, 0], "polygons follow the threshold"
    fixed = score(net, store, 0.5)
    assert Counts.of_pixels(fixed.tiles).iou == 0.0
    assert after.histogram().average_precision() == fixed.histogram().average_precision() == 1.0


def score(net: Pointwise, store: Store, threshold: object) -> Scores:
    settings = ScoringSettings.model_validate({"threshold": threshold})
    return score_model(net, store, sensor=AIRBORNE, rows=store.rows(AIRBORNE, "test"), settings=settings)


def test_the_bundle_carries_the_threshold(tmp_path: Path) -> None:
    config = NetworkConfig(
        kind="deeplabv3plus",
        encoder="timm-mobilenetv3_small_minimal_100",
        decoder_channels=16,
        sensors=(AIRBORNE,),
        threshold=0.25,
    )
    save_bundle(tmp_path / "model", build_network(config), {})
    assert load_bundle(tmp_path / "model").config.threshold == 0.25
    assert NetworkConfig(kind="deeplabv3plus", encoder="resnet18", sensors=("s",)).threshold == 0.5


@pytest.mark.parametrize("threshold", [0.0, 1.0, "best"])
def test_another_threshold_is_refused(threshold: object) -> None:
    with pytest.raises(ValidationError):
        ScoringSettings.model_validate({"threshold": threshold})
    assert ScoringSettings().threshold_of(0.25) == 0.25
    assert ScoringSettings(threshold=0.5).threshold_of(0.25) == 0.5
