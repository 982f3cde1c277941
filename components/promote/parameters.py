"""Parameters of promotion: the section ``promote`` of ``params.yaml``, and the models it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from components.lib.config.loader import Parameters


class PromoteParameters(Parameters):
    """Conditions that a challenger must meet.

    Attributes:
        metric: Metric that must gain on the clean test locations: pixel ``iou`` or SpaceNet ``f1``.
        confidence: Confidence of the intervals and, one-sided, of the gain's lower bound.
        floor: The metric's own one-sided lower bound must reach this, champion or not: a first model that
            finds nothing must not become champion for want of a rival.
        min_gain: The gain's lower bound must exceed this.
        guard_margin: No guard slice may fall by more than this.
        guard_slices: Dimensions whose slices are guarded.
        resamples: Bootstrap draws over locations.
        ledger: Folder or ``s3://`` URI of the champions' history; where ``STORMSIGHT_OBJECTS`` is set, that
            store has it.
    """

    metric: Literal["iou", "f1"]
    confidence: float = Field(gt=0.5, lt=1)
    floor: float = Field(default=0.0, ge=0, lt=1)
    min_gain: float = Field(ge=0, lt=1)
    guard_margin: float = Field(ge=0, lt=1)
    guard_slices: tuple[Literal["orientation", "building_size", "nodata", "sensor"], ...]
    resamples: int = Field(ge=100)
    ledger: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Folder of a registered model's challenger, and the stage that makes it."""

    folder: Path
    made_by: str


CANDIDATES: Mapping[str, Candidate] = MappingProxyType(
    {
        "stormsight-optical": Candidate(Path("models/optical/deeplabv3plus"), "optical"),
        "stormsight-sar": Candidate(Path("models/adapted"), "adapt"),
    }
)
"""Candidates by registered model. One SAR model carries the normalisation of every sensor it knows."""
