"""The gate scores exactly as the report does."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from components.lib.config.loader import load_parameters
from components.lib.config.scoring import ScoringSettings
from components.lib.nets.config import NetworkConfig
from components.lib.nets.factory import build_network
from components.lib.scoring.score import score_model
from components.promote.scores import score_clean_test
from tests.conftest import ROOT
from tests.evaluate.worlds import AIRBORNE, touching_boxes, write_tiny_store


@pytest.mark.parametrize("profile", ["rehearsal", "smoke", "spacenet6"])
def test_the_section_of_every_profile_is_read_whole(profile: str, tmp_path: Path) -> None:
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["scoring"] |= {"scales": [0.8, 1.0], "seed_threshold": 0.6, "min_seed_px": 40, "batch": 3}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump({**document, "profile": profile}))
    settings = load_parameters("scoring", ScoringSettings, path)
    assert set(document["scoring"]) == set(ScoringSettings.model_fields), "no setting is left to a default"
    assert settings.vectorise == "watershed"
    assert settings.scales == (0.8, 1.0)
    assert (settings.seed_threshold, settings.min_seed_px, settings.batch) == (0.6, 40, 3)


@pytest.mark.parametrize("name", ["evaluate", "promote"])
def test_both_stages_read_it_and_are_run_again_when_it_changes(name: str) -> None:
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][name]
    assert {"scoring", "profiles.${profile}.scoring"} <= set(stage["params"])
    main = (ROOT / "components" / name / "__main__.py").read_text()
    assert 'load_parameters("scoring", ScoringSettings)' in main


def test_the_gate_counts_what_the_report_counts(tmp_path: Path) -> None:
    store = write_tiny_store(tmp_path / "prepared", tiles=8, boxes_of=touching_boxes)
    torch.manual_seed(1)
    net = build_network(
        NetworkConfig(
            kind="deeplabv3plus",
            encoder="timm-mobilenetv3_small_minimal_100",
            decoder_channels=16,
            sensors=(AIRBORNE,),
            contours=True,
        )
    ).eval()
    values = {"threshold": 0.5, "min_area_px": 20, "iou": 0.1, "vectorise": "watershed", "flip": True}
    values |= {"seed_threshold": 0.05, "min_seed_px": 1, "scales": (1.0, 0.75)}
    settings = ScoringSettings.model_validate(values)
    scored = score_clean_test(net, store, settings)
    rows = store.rows(AIRBORNE, "test")
    reported = score_model(net, store, sensor=AIRBORNE, rows=rows, settings=settings).clean()
    assert scored.scores is not None
    assert set(scored.scores.tiles["vectorise"]) == {"watershed"}
    pd.testing.assert_frame_equal(scored.scores.tiles, reported.tiles)
    pd.testing.assert_frame_equal(scored.scores.objects, reported.objects, check_exact=False, rtol=1e-5)
