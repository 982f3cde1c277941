"""The stages from training to verdict on a store of roads, in this process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.adapt.__main__ import main as adapt
from components.contract.errors import BadDataError
from components.distill.__main__ import main as distill
from components.evaluate.models import load_models
from components.evaluate.parameters import EvaluateParameters
from components.evaluate.stage import EvaluatePaths, evaluate
from components.lib.config.scoring import ScoringSettings
from components.lib.evaluation.results import Evaluation
from components.lib.nets.bundle import load_bundle
from components.lib.store.layout import write_store
from components.lib.store.store import Store
from components.lib.tracking.parameters import TrackingParameters
from components.optical.__main__ import main as optical
from components.promote.buildings import PromotionSettings, decide_buildings
from components.promote.reproduce import Reproduction
from components.report.parameters import ReportParameters
from components.report.stage import ReportPaths, make_report
from tests.lib.engine.tiny_store import SENSOR, make_store, write_parameters
from tests.lib.tracking.local_store import local_store
from tests.promote.world import PARAMETERS

SCORING = ScoringSettings(block_m=36.0)


@dataclass(frozen=True)
class Run:
    """A finished run of the stages."""

    folder: Path
    evaluation: Evaluation
    decision: dict[str, Any]


def write_roads(folder: Path) -> None:
    """The tiny store with its squares as roads, the lower rows of each tile in doubt."""
    plain = make_store(folder / "buildings")
    layers = {(SENSOR, name): np.array(plain.layer(SENSOR, name)) for name in ("sar", "target", "optical")}
    layers[SENSOR, "target"][:, -12:] = 4
    tiles = plain.index[["acquisition", "sensor", "image_id"]]
    roads = tiles.assign(road_id=0, wkt_px="LINESTRING (0 40, 96 40)", uncertain=False)
    write_store(folder / "data/prepared", plain.index, pd.DataFrame(), layers, task="roads", roads=roads)
    verdict = folder / "reports/validate/verdict.json"
    verdict.parent.mkdir(parents=True)
    verdict.write_text(json.dumps({"verdict": "good", "tiles": 14, "quarantined": 0, "simulated": True}))


def train(patch: pytest.MonkeyPatch) -> None:
    """Train teacher, control and student in the working directory."""
    stages: Sequence[tuple[Any, list[str]]] = (
        (optical, []),
        (distill, ["--method", "none"]),
        (distill, ["--method", "disoptnet"]),
        (adapt, []),
    )
    for main, arguments in stages:
        patch.setattr("sys.argv", ["stage", *arguments])
        main()


@pytest.fixture(scope="module")
def run(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("roads")
    write_roads(folder)
    write_parameters(
        repository,
        folder,
        training={"contour_weight": 0.0, "threads": 1},
        tracking={"uri": "sqlite:////dev/null/mlflow.db"},
        optical={"crops_per_tile": 2},
        distill={"crops_per_tile": 2},
        adapt={"start_from": "disoptnet", "target": None},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("MLFLOW_TRACKING_URI", "STORMSIGHT_OBJECTS"):
            patch.delenv(name, raising=False)
        train(patch)
        evaluation = evaluate(EvaluateParameters(confidence=0.9, pictures=1), SCORING, EvaluatePaths())
        evidence = ReportParameters(stability=repository / ReportParameters().stability)
        make_report(evidence, ReportPaths())
        settings = PromotionSettings(
            parameters=PARAMETERS,
            scoring=SCORING,
            tracking=TrackingParameters.model_validate(local_store(folder / "mlflow").model_dump()),
            reproducer=lambda folder, expected, device: Reproduction(True, "not asked here"),
        )
        return Run(folder, evaluation, decide_buildings(settings))


def test_all_models_are_of_roads(run: Run) -> None:
    for name in ("optical/deeplabv3plus", "sar/none", "sar/disoptnet", "adapted"):
        config = load_bundle(run.folder / "models" / name).config
        assert (config.task, config.contours) == ("roads", False)


def test_pixels_are_scored_with_a_tolerance_beside_and_no_objects(run: Run) -> None:
    assert run.evaluation.task == "roads"
    assert {difference.metric for difference in run.evaluation.differences} == {"iou"}
    details = json.loads((run.folder / "reports/evaluate/details.json").read_text())
    for model in ("teacher", "none", "disoptnet"):
        numbers = details["models"][model][SENSOR]["sn6-clean"]
        assert numbers["vectorise"] == "none"
        assert numbers["relaxed_recall"] >= numbers["px_recall"]
        assert 0 <= numbers["apls"] <= 1
        assert numbers["apls_tiles_without_roads"] == 0
        assert not {"f1", "precision", "recall", "ap50"} & set(numbers)
    headline = json.loads((run.folder / "reports/evaluate/metrics.json").read_text())
    assert set(headline) == {"iou", "iou_half", "pr_auc", "relaxed_f1", "apls", "teacher", "control"}
    tiles = pd.read_parquet(run.folder / "reports/evaluate/tiles.parquet")
    counted = tiles[tiles["model"] == "none"][["px_tp", "px_fp", "px_fn", "px_tn"]].to_numpy().sum()
    assert counted == 2 * (96 - 12) * 96, "pixels in doubt are not counted"


def test_the_report_speaks_of_roads(run: Run) -> None:
    page = (run.folder / "reports/evaluate/report/index.html").read_text()
    assert "Roads from radar: evaluation" in page
    assert "Relaxed IoU" in page
    assert "APLS T onto P" in page
    assert "uilding" not in page
    assert "SpaceNet F1" not in page


def test_the_gate_judges_roads_in_lines_of_their_own(run: Run) -> None:
    assert set(run.decision["models"]) == {"stormsight-roads-optical", "stormsight-roads-sar"}
    for judged in run.decision["models"].values():
        assert judged["outcome"] in {"promoted", "refused"}
        assert judged["reasons"]
        assert judged["decision"]["metric"] == "iou"
    assert "stormsight-roads-sar" in (run.folder / "reports/promote/decision.txt").read_text()


def test_models_of_roads_do_not_score_a_store_of_buildings(run: Run) -> None:
    buildings = Store.open(run.folder / "buildings")
    with pytest.raises(BadDataError, match="predicts roads; one of buildings"):
        load_models(run.folder / "models", buildings)
