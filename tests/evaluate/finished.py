"""One finished run of scoring and report on a tiny world, shared by the tests that read its output."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch

from components.evaluate.parameters import EvaluateParameters
from components.evaluate.stage import EvaluatePaths, evaluate
from components.lib.config.scoring import ScoringSettings
from components.lib.nets.bundle import save_bundle
from components.lib.nets.config import NetworkConfig
from components.lib.nets.csn import convert_to_csn
from components.lib.nets.factory import build_network
from components.report.parameters import ReportParameters
from components.report.stage import ReportPaths, make_report
from tests.conftest import ROOT
from tests.evaluate.worlds import AIRBORNE, SPACEBORNE, write_tiny_store

PARAMETERS = EvaluateParameters(confidence=0.9, pictures=3)
SETTINGS = ScoringSettings(min_area_px=80, iou=0.5, block_m=36.0)


def write_models(folder: Path) -> None:
    """Write untrained networks in the shape that the training stages leave."""
    common = {"encoder": "timm-mobilenetv3_small_minimal_100", "decoder_channels": 16, "sensors": [AIRBORNE]}
    torch.manual_seed(0)
    kinds = {
        "optical/deeplabv3plus": {"kind": "deeplabv3plus", "modality": "optical"},
        "sar/none": {"kind": "deeplabv3plus"},
        "sar/disoptnet": {"kind": "disoptnet"},
        "adapted": {"kind": "disoptnet"},
    }
    for name, kind in kinds.items():
        net = build_network(NetworkConfig.model_validate({**common, **kind}))
        if name == "adapted":
            convert_to_csn(net, (AIRBORNE, SPACEBORNE))
        save_bundle(folder / name, net, {"adapt": {"start_from": "disoptnet"}} if name == "adapted" else {})


@dataclass(frozen=True)
class Finished:
    """Files and folders of the run."""

    paths: EvaluatePaths

    @property
    def out(self) -> Path:
        return self.paths.out

    @property
    def report(self) -> ReportPaths:
        return ReportPaths(reports=self.out.parent)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return _run(tmp_path_factory.getbasetemp() / "evaluated")


@cache
def _run(root: Path) -> Finished:
    """Run both stages once a session, however many folders of tests ask."""
    write_tiny_store(root / "data/prepared", tiles=8, empty=(2,))
    write_models(root / "models")
    for run in ("optical/deeplabv3plus", "distill/none"):
        curve = root / "reports" / run / "curve.csv"
        curve.parent.mkdir(parents=True)
        curve.write_text("step,lr,loss\n1,0.1,2.5\n2,0.1,2.0\n")
    paths = EvaluatePaths(
        store=root / "data/prepared",
        models=root / "models",
        out=root / "reports/evaluate",
        params=ROOT / "params.yaml",
    )
    evaluate(PARAMETERS, SETTINGS, paths)
    done = Finished(paths)
    make_report(ReportParameters(stability=ROOT / ".assets/evidence/evidence.json"), done.report)
    return done
