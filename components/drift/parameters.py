"""Places and options of the drift commands."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from components.lib.config.loader import Parameters
from components.lib.drift.comparison import BLOCK_M

FEATURES = Path("data/validated/features.parquet")
EVALUATION = Path("reports/evaluate")
REPORTS = Path("reports/drift")


class ReferenceOptions(Parameters):
    """Options of a reference."""

    block_m: float = Field(BLOCK_M, ge=1.0, le=1e6)
    """Side of the ground blocks that are the units of later tests, metres."""
