"""Spread between repeated trainings, from the evidence file: the least difference that is called one."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from components.contract.errors import BadDataError
from components.lib.files import read_json

DEVIATIONS = 2.0
"""Standard deviations of a difference between two trainings that it must exceed."""


class Stability(BaseModel):
    """Standard deviations of pixel IoU (0 to 1) between trainings that should be equal.

    Attributes:
        control_spread_iou: Of the SAR-only control, over rounding noise, numbers of threads and seeds.
        student_spread_iou: Of the distilled student, likewise.
        threads_spread_iou: Between numbers of threads.
        draws: Trainings of one seed that differ by rounding noise.
    """

    control_spread_iou: float = Field(ge=0.0, le=1.0)
    student_spread_iou: float = Field(ge=0.0, le=1.0)
    threads_spread_iou: float = Field(ge=0.0, le=1.0)
    draws: int = Field(ge=2)

    @property
    def spread(self) -> float:
        """Return the largest of the three."""
        return max(self.control_spread_iou, self.student_spread_iou, self.threads_spread_iou)

    @property
    def least_difference(self) -> float:
        """Return ``DEVIATIONS`` standard deviations of the difference of two trainings."""
        return DEVIATIONS * sqrt(2.0) * self.spread


@dataclass(frozen=True, slots=True)
class Evidence:
    """The parts of the evidence file that a report of one run is read against.

    Attributes:
        stability: Spread between repeated trainings; None where it has not been measured.
        differences: Mean pixel IoU over the control, by method and sensor.
    """

    stability: Stability | None
    differences: dict[tuple[str, str], float]


def read_evidence(path: Path) -> Evidence:
    """Read spread and differences to the control.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If the file holds something else.
    """
    try:
        document = read_json(path, made_by="report")
        measured = document.get("stability")
        return Evidence(
            stability=None if measured is None else Stability.model_validate(measured),
            differences=dict(map(_difference, filter(_is_gain, document.get("differences", [])))),
        )
    except (BadDataError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = error.message if isinstance(error, BadDataError) else error
        raise BadDataError(
            f"{path} does not hold evidence: {reason}",
            next_step="make it again with `make evidence` and `make stability`, or correct report.stability",
        ) from error


def _is_gain(row: dict[str, Any]) -> bool:
    return row["against"] == "control" and row["metric"] == "iou" and row["value"] is not None


def _difference(row: dict[str, Any]) -> tuple[tuple[str, str], float]:
    return (str(row["method"]), str(row["sensor"])), float(row["value"])
