"""Places and options of the drift commands."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from components.lib.config.loader import Parameters
from components.lib.drift.comparison import BLOCK_M
from components.lib.drift.expected_score import RESAMPLES

FEATURES = Path("data/validated/features.parquet")
EVALUATION = Path("reports/evaluate")
REPORTS = Path("reports/drift")
MODELS = Path("models")
STORE = Path("data/prepared")


class ReferenceOptions(Parameters):
    """Options of a reference."""

    block_m: float = Field(BLOCK_M, ge=1.0, le=1e6)
    """Side of the ground blocks that are the units of later tests, metres."""


class EstimateOptions(Parameters):
    """Options of an estimate of a score; their defaults are those that the measured error holds for."""

    confidence: float = Field(0.95, gt=0.0, lt=1.0)
    """Of the interval."""

    resamples: int = Field(RESAMPLES, ge=20, le=99_999)
    """Calibrations from resampled ground blocks, whose spread is part of the interval."""

    seed: int = Field(0, ge=0)
    device: Literal["auto", "cpu", "cuda"] = "auto"
