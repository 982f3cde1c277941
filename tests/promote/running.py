"""Runs of the stage on the tiny world, the fresh process replaced by this one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from components.lib.registry.champion import ChampionRegistry
from components.lib.registry.ledger import open_ledgers
from components.lib.store.store import Store
from components.lib.tracking.connection import connect
from components.lib.tracking.parameters import TrackingParameters
from components.promote.buildings import PromotionSettings, decide_buildings
from components.promote.ground import BuildingGround
from components.promote.reproduce import Reproduction, score_digest
from components.promote.scores import CleanTestScores
from tests.promote.world import PARAMETERS, settings, write_model

SAR = "stormsight-sar"
LEDGER = PARAMETERS.ledger


def score_here(folder: Path, expected: CleanTestScores, device: str) -> Reproduction:
    """Score the registered artefact in this process."""
    scoring = settings(TrackingParameters()).scoring
    ground = BuildingGround(store=Store.open(Path("data/prepared")), scoring=scoring, device=device)
    answer = score_digest(folder, ground)
    return Reproduction(answer["digest"] == expected.digest, "scored here")


def settings_here(tracking: TrackingParameters) -> PromotionSettings:
    """Return the stage's settings, without a fresh process."""
    return replace(settings(tracking), reproducer=score_here)


def run(stage: PromotionSettings, building: float, **model: Any) -> dict[str, Any]:
    """Make ``models/adapted`` give this building logit, run the stage, return the SAR model's part."""
    write_model(Path("models/adapted"), building, **model)
    part: dict[str, Any] = decide_buildings(stage, (SAR,))["models"][SAR]
    return part


def registry_of(stage: PromotionSettings) -> ChampionRegistry:
    """Return the SAR model's champion."""
    return ChampionRegistry(connect(stage.tracking), open_ledgers(LEDGER), SAR)
