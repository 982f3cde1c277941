from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.end_to_end.conftest import Checkout

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]


def test_the_run_leaves_a_gated_model_and_a_report(finished: Checkout) -> None:
    decision = json.loads((finished.root / "reports/promote/decision.json").read_text())
    assert "simulated" in json.dumps(decision).lower()
    assert (finished.root / "reports/evaluate/report/index.html").is_file()
    history = finished.run("python -m components.promote history")
    assert "stormsight-sar" in history
    finished.run("python -m components.promote verify")


def test_every_model_is_scored_on_held_out_ground(finished: Checkout) -> None:
    tiles = pd.read_parquet(finished.root / "reports/evaluate/tiles.parquet")
    index = pd.read_parquet(finished.root / "data/prepared/index.parquet")
    test_ids = set(index[index["split"] == "test"]["image_id"])
    assert set(tiles["image_id"]) <= test_ids
    assert {"teacher", "none", "concord", "adapted", "unadapted"} <= set(tiles["model"])


def test_a_second_run_does_nothing_and_says_so(finished: Checkout) -> None:
    assert "Data and pipelines are up to date." in finished.run("make repro")


def test_metrics_plots_and_the_graph_can_be_shown(finished: Checkout) -> None:
    finished.run("make report")
    assert "reports/evaluate/metrics.json" in finished.run("dvc metrics show")
    assert (finished.root / "reports/plots/index.html").is_file()
    assert "distill@concord" in finished.run("dvc dag")


def test_one_changed_parameter_reruns_only_what_depends_on_it(finished: Checkout) -> None:
    finished.edit(
        "params.yaml", "  confidence: 0.95             # of the", "  confidence: 0.90             # of the"
    )
    try:
        changed = set(json.loads(finished.run("dvc status --json")))
    finally:
        finished.edit(
            "params.yaml",
            "  confidence: 0.90             # of the",
            "  confidence: 0.95             # of the",
        )
    assert changed == {"check", "evaluate"}


def test_a_typo_in_the_parameters_stops_the_stage_with_its_name(finished: Checkout) -> None:
    finished.edit("params.yaml", "  threshold: model ", "  treshold: model ")
    try:
        told = finished.run("python -m components.evaluate", expect=78)
    finally:
        finished.edit("params.yaml", "  treshold: model ", "  threshold: model ")
    assert "scoring.treshold" in told
    assert "'threshold'" in told
    assert "Traceback" not in told
