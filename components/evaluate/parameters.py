"""Parameters of evaluation: the section ``evaluate`` of ``params.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.lib.config.loader import Parameters


class EvaluateParameters(Parameters):
    """Parameters of intervals and example tiles; the section `scoring` says how models are scored.

    Attributes:
        confidence: Confidence of the intervals over ground blocks.
        pictures: Example tiles of the paired sensor, kept for the report.
        device: ``auto`` takes a GPU if there is one.
    """

    confidence: float = Field(gt=0.0, lt=1.0)
    pictures: int = Field(ge=1, le=64)
    device: Literal["auto", "cpu", "cuda"] = "auto"
