"""All readers of the campaign, by name.

Each is imported when it is asked for: forks of a small process are quick.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from tests.campaign.readers.base import Reader

READERS = {
    "score": "score:Score",
    "params": "params:Params",
    "tar": "archives:Archives",
    "catalogue": "archives:Catalogue",
    "ledger": "ledgers:Ledgers",
    "landing": "landings:Landings",
    "environment": "surroundings:Environment",
    "kill-download": "killed_stages:KilledDownload",
    "kill-land": "killed_stages:KilledLand",
    "kill-register": "killed_stages:KilledRegister",
    "kill-ledger": "killed_stages:KilledWithdraw",
    "store": "stores:Stores",
    "orientations": "summaries:OrientationFiles",
    "summary": "summaries:SummaryTables",
    "quarantine": "between_stages:QuarantineTables",
    "manifest": "between_stages:Manifests",
    "mlflow": "databases:Databases",
    "geojson": "labels:LabelFiles",
    "geotiff": "rasters:Rasters",
    "disk": "surroundings:Disk",
    "kill-validate": "killed_stages:KilledValidate",
    "kill-prepare": "killed_stages:KilledPrepare",
    "bundle": "bundles:Bundles",
    "kill-training": "killed_training:KilledTraining",
    "kill-optical": "killed_training:KilledOptical",
    "kill-distill": "killed_training:KilledDistill",
    "kill-adapt": "killed_training:KilledAdapt",
    "kill-evaluate": "killed_scoring:KilledEvaluate",
    "kill-report": "killed_scoring:KilledReport",
    "kill-runs": "killed_services:KilledRun",
    "kill-prune": "killed_services:KilledPrune",
    "kill-tracking": "killed_models:KilledTracking",
    "kill-promote": "killed_models:KilledPromotion",
}
"""Module below ``readers`` and class by name, those that load little first."""


def make_reader(name: str, folder: Path) -> Reader:
    """Return the reader of that name, set up in ``folder``."""
    module, _, kind = READERS[name].partition(":")
    made: Reader = getattr(import_module(f"tests.campaign.readers.{module}"), kind)(folder)
    assert made.name == name
    return made
