"""Parameters of promotion: the section ``promote`` of ``params.yaml``, and the models it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, field_validator

from components.contract.variables import problem_of_place
from components.lib.config.loader import Parameters
from components.lib.registry.served import (
    OPTICAL_MODEL,
    ROADS_OPTICAL_MODEL,
    ROADS_SAR_MODEL,
    SAR_MODEL,
)
from components.lib.tasks.names import TaskName

Metric = Literal["iou", "f1"]


class TrainingSpread(Parameters):
    """Standard deviation of a score between trainings of one recipe, measured by ``make stability``.

    Attributes:
        iou: Of pixel IoU, 0 to 1; None where it was not measured: no gain counts then.
        f1: Of the F1 of objects, 0 to 1; None likewise.
    """

    iou: float | None = Field(ge=0, lt=1)
    f1: float | None = Field(ge=0, lt=1)


class ChangeRules(Parameters):
    """Conditions on a change model, where they differ from those on a building model.

    Attributes:
        candidates: Change methods whose models are judged as ``stormsight-change``, one stage each; none
            while the list is empty.
        control: Change method of equal budget that a candidate must beat; None where none is trained.
        metric: Metric that must gain on the test pairs: pixel ``iou``, or ``f1`` of changed buildings.
        min_area_px: Smaller changed parts of truth and prediction are no buildings, pixels.
        min_blocks: Scenes of the test split below which there is no verdict, and so no promotion.
        floor: The metric's one-sided lower bound must reach this, champion or not.
        training_spread: Standard deviation of the metrics between trainings of one change method.
    """

    candidates: tuple[str, ...] = ()
    control: str | None = "siamese_unet"
    metric: Metric = "f1"
    min_area_px: int = Field(default=80, ge=1)
    min_blocks: int = Field(default=15, ge=2)
    floor: float = Field(default=0.1, gt=0, lt=1)
    training_spread: TrainingSpread = TrainingSpread(iou=None, f1=None)


class PromoteParameters(Parameters):
    """Conditions that a challenger must meet.

    Attributes:
        metric: Metric that must gain on the clean test ground: pixel ``iou`` or SpaceNet ``f1``.
        confidence: Confidence of the intervals and, one-sided, of the bounds that are held against
            ``floor``, the control, and the champion on a sensor new to it.
        min_blocks: Ground blocks below which there is no verdict, and so no promotion.
        floor: The metric's own one-sided lower bound must reach this on every sensor, champion or not: a
            model that finds nothing must not become champion for want of a rival.
        min_gain: The lower bound of the gain over the champion must exceed this.
        error_budget: Probability that, in the life of a champion line, any challenger that is no better is
            found better; challenger k is tested at ``error_budget / (k (k + 1))``.
        min_control_gain: The lower bound of the gain over the SAR-only control must exceed this; null only
            tells the gain.
        training_spread: Standard deviation of the metrics between trainings of one recipe.
        guard_margin: A guard slice that is shown to fall by more than this refuses.
        guard_level: Probability that the guards refuse where no slice falls by more, all slices together.
        guard_slices: Dimensions whose slices are guarded.
        min_slice_buildings: True buildings, counted in every tile that shows them, below which a slice is
            told but not judged.
        min_slice_blocks: Ground blocks below which a slice is told but not judged.
        approval: ``required`` leaves a challenger that passed waiting until a person says yes (``python -m
            components.promote approve``); ``none`` promotes it at once.
        ledger: Folder or ``s3://`` URI of the champions' history; where ``STORMSIGHT_OBJECTS`` is set, that
            store has it.
        change: Conditions on change models.
    """

    metric: Metric
    confidence: float = Field(gt=0.5, lt=1)
    min_blocks: int = Field(ge=2)
    floor: float = Field(gt=0, lt=1)
    min_gain: float = Field(ge=0, lt=1)
    error_budget: float = Field(gt=0, lt=1)
    min_control_gain: float | None = Field(gt=-1, lt=1)
    training_spread: TrainingSpread
    guard_margin: float = Field(ge=0, lt=1)
    guard_level: float = Field(gt=0, lt=1)
    guard_slices: tuple[Literal["orientation", "building_size", "nodata", "sensor"], ...]
    min_slice_buildings: int = Field(ge=0)
    min_slice_blocks: int = Field(ge=2)
    approval: Literal["none", "required"] = "none"
    ledger: str = Field(min_length=1)
    change: ChangeRules = ChangeRules()

    @field_validator("ledger")
    @classmethod
    def _is_a_place(cls, ledger: str) -> str:
        # Whether a folder can be made there is a question of the machine, which the check before a run asks.
        problem = problem_of_place(ledger) if "://" in ledger else None
        if problem is not None:
            raise ValueError(f"{problem}; use the path of a folder, file:///folder or s3://bucket/prefix")
        return ledger

    @property
    def training_variance(self) -> float | None:
        """Variance of the difference of two single trainings, in the metric; None if it is unknown."""
        spread: float | None = getattr(self.training_spread, self.metric)
        return None if spread is None else 2.0 * spread**2

    def of_change(self) -> PromoteParameters:
        """Return the conditions on a change model; no slice is guarded, since pairs have none of these."""
        change = self.change
        own = {
            "metric": change.metric,
            "min_blocks": change.min_blocks,
            "floor": change.floor,
            "training_spread": change.training_spread,
            "guard_slices": (),
        }
        return self.model_copy(update=own)

    def rules(self) -> dict[str, Any]:
        """Return the conditions as JSON values: all but the ledger's place and those on change models."""
        return self.model_dump(mode="json", exclude={"ledger", "change"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Challenger of a registered model.

    Attributes:
        folder: Folder of the challenger.
        made_by: Stage that makes it.
        modality: Layer of the store that the model reads.
        control: Folder of the control that it must beat; None where there is none.
    """

    folder: Path
    made_by: str
    modality: Literal["optical", "sar"]
    control: Path | None = None


CANDIDATES: Mapping[str, Candidate] = MappingProxyType(
    {
        OPTICAL_MODEL: Candidate(
            folder=Path("models/optical/deeplabv3plus"), made_by="optical", modality="optical"
        ),
        SAR_MODEL: Candidate(
            folder=Path("models/adapted"),
            made_by="adapt",
            modality="sar",
            control=Path("models/sar/none"),
        ),
    }
)
"""Candidates by registered model. One SAR model carries the normalisation of every sensor it knows."""

ROAD_MODEL_OF: Mapping[str, str] = MappingProxyType(
    {OPTICAL_MODEL: ROADS_OPTICAL_MODEL, SAR_MODEL: ROADS_SAR_MODEL}
)
"""Registered model of roads in place of one of buildings."""


def candidates_of(task: TaskName) -> Mapping[str, Candidate]:
    """Return the candidates of a task by registered model; the folders are the same."""
    if task == "buildings":
        return CANDIDATES
    return {ROAD_MODEL_OF[model]: candidate for model, candidate in CANDIDATES.items()}
