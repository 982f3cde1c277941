"""Estimated scores of models on acquisitions without labels, of the checkout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from components.dashboard.drift import newest_reports
from components.dashboard.notices import Notices

ESTIMATED_HERE = "estimated scores in this checkout"
"""Name of the place, in words."""

_FINITE: Final = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatedScore:
    """Estimate of one metric.

    Attributes:
        metric: ``iou`` or ``px_f1``, of pixels.
        expected: Expected score.
        low: Lower end of its interval; None if it has none.
        high: Upper end.
        true: Score by labels; None without any.
    """

    __pydantic_config__ = _FINITE

    metric: str
    expected: float
    low: float | None = None
    high: float | None = None
    true: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRecord:
    """Report of ``python -m components.drift estimate``, as far as it is shown.

    Attributes:
        acquisition: The acquisition.
        sensor: Its sensor.
        simulated: Whether the sensor is of the simulated world.
        model: Name of the model's folder.
        confidence: Confidence of the intervals.
        scores: Estimates by metric.
    """

    __pydantic_config__ = _FINITE

    kind: Literal["score_estimate"]
    acquisition: str
    sensor: str
    simulated: bool
    model: str
    confidence: Annotated[float, Field(gt=0, lt=1)]
    scores: tuple[EstimatedScore, ...]


@dataclass(frozen=True, slots=True)
class KnownEstimate:
    """Estimate that is shown.

    Attributes:
        record: Its report.
        time: Time at which it was written, UTC.
    """

    record: EstimateRecord
    time: datetime


def estimates_here(checkout: Path, notices: Notices) -> list[KnownEstimate]:
    """Return the newest reports of ``python -m components.drift estimate`` in a checkout, newest first.

    Args:
        checkout: The checkout.
        notices: What cannot be read is told there, and left out.
    """
    found = newest_reports(checkout, "*/estimate-*.json", EstimateRecord, ESTIMATED_HERE, notices)
    return [KnownEstimate(record, time) for record, time in found]
