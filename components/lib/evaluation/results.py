"""Results of an evaluation at full precision: the file ``reports/evaluate/results.json``.

Free of torch and of drawing, so that the report can be made again wherever this file is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from components.contract.errors import BadDataError
from components.lib.files import read_json, write_json
from components.lib.metrics.intervals import Interval
from components.lib.tasks.names import TaskName

CLEAN = "sn6-clean"
"""Split of the test tiles on ground that no train tile saw."""

KANG = "sn6-kang"
"""Split of all test tiles: the published validation list, which overlaps train ground."""

CONTROL = "none"
"""Name of the SAR model that was trained without distillation."""

Role = Literal["teacher", "control", "student", "adapted"]

Metric = Literal["iou", "f1"]
"""Pixel IoU or SpaceNet F1, as in tables and differences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphResult:
    """APLS of road graphs, definition ``java``: means over all tiles, as SpaceNet 3 takes within a city.

    Attributes:
        apls: Mean of the tiles' APLS with its interval over ground; each tile counts in one ground block.
        truth_onto_proposal: Mean of the direction that falls with missing roads.
        proposal_onto_truth: Mean of the direction that falls with false roads.
        without_roads: Number of tiles without a true road: each counts 1 where none is predicted, else 0.
    """

    apls: Interval
    truth_onto_proposal: float
    proposal_onto_truth: float
    without_roads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """Scores of one model on the test tiles of one sensor and split.

    Attributes:
        model: Name in tables and files.
        role: Purpose of the model; everything trained on SAR but the control is a student.
        description: The model in a few words.
        sensor: Sensor of the tiles.
        split: ``sn6-clean`` or ``sn6-kang``.
        vectoriser: Origin of the polygons: ``watershed`` or ``plain``; ``none`` for a task without objects.
        tiles: Number of tiles.
        locations: Number of ground blocks, the units of the intervals.
        threshold: Probability above which a pixel belongs to the target.
        iou: Pixel IoU with its interval over ground blocks.
        iou_half: Pixel IoU at threshold 0.5.
        f1: SpaceNet F1 with its interval over ground blocks; None for a task without objects, as
            are precision, recall and AP of the polygons.
        precision: Precision of the polygons.
        recall: Recall of the polygons.
        ap50: Average precision of the polygons at IoU 0.5.
        px_precision: Precision of the pixels.
        px_recall: Recall of the pixels.
        px_f1: F1 of the pixels.
        px_ap: Average precision of the pixels, the area under their precision over recall (PR-AUC).
        accuracy: Overall accuracy of the pixels (OA in LoveCS).
        kappa: Cohen's kappa of the pixels.
        dice: Mean over tiles of the smoothed hard Dice.
        relaxed: Of roads, ``precision, recall, f1`` of the pixels within the task's tolerance, and ``iou`` of
            the widened masks; None where there is nothing to take a share of.
        graph: Of roads, APLS of the traced graphs.
    """

    model: str
    role: Role
    description: str
    sensor: str
    split: str
    vectoriser: str
    tiles: int
    locations: int
    threshold: float
    iou: Interval
    iou_half: float
    f1: Interval | None
    precision: float | None
    recall: float | None
    ap50: float | None
    px_precision: float
    px_recall: float
    px_f1: float
    px_ap: float
    accuracy: float
    kappa: float
    dice: float
    relaxed: Mapping[str, float | None] | None = None
    graph: GraphResult | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Model and sensor, unique within a split."""
        return self.model, self.sensor


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """``model`` minus ``baseline`` on the same tiles, on the same ground blocks."""

    model: str
    baseline: str
    sensor: str
    metric: Metric
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """Scores of one model on one slice of the headline split.

    Attributes:
        model: Name of the model.
        sensor: Sensor of the tiles.
        split: Split of the tiles.
        dimension: ``all`` or a key of :func:`components.lib.scoring.slices.slice_tables`.
        name: Slice within its dimension.
        tiles: Number of tiles.
        buildings: Number of true buildings.
        iou: Pixel IoU; None for building sizes, which have no pixel counts.
        f1: SpaceNet F1; None for a task without objects, as are precision and recall.
        precision: Precision of the polygons.
        recall: Recall of the polygons.
    """

    model: str
    sensor: str
    split: str
    dimension: str
    name: str
    tiles: int
    buildings: int
    iou: Interval | None
    f1: Interval | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSettings:
    """Parameters that a reader of the numbers must know; meanings and units as in ``params.yaml``."""

    threshold: float | Literal["model"]
    min_area_px: int
    iou: float
    seed_threshold: float
    min_seed_px: int
    scales: tuple[float, ...]
    flip: bool
    turn: bool
    block_m: float
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that scoring found, but for the tables per tile and per building.

    Attributes:
        source: Sensor with labels and paired optical images.
        target: Sensor without labels that was adapted to; None where there was none.
        student: Distillation method that the adapted model started from.
        simulated: Those of the two sensors that are simulated.
        headline: Split whose numbers are compared and sliced.
        results: Every model on every split, in the order of the tables.
        differences: Paired differences on the headline split.
        slices: The headline results by slice.
        slice_bounds: Lower and upper bound by dimension and slice name; None is unbounded.
        settings: Parameters of the scores and intervals.
        provenance: Hashes and versions behind the scores, by name, in reading order.
        task: Task of the store and all models.
    """

    source: str
    target: str | None
    student: str
    simulated: tuple[str, ...]
    headline: str
    results: tuple[ModelResult, ...]
    differences: tuple[PairedDifference, ...]
    slices: tuple[SliceResult, ...]
    slice_bounds: Mapping[str, Mapping[str, tuple[float, float | None]]]
    settings: EvaluationSettings
    provenance: tuple[tuple[str, str], ...]
    task: TaskName = "buildings"

    def on(self, split: str) -> list[ModelResult]:
        """Return the results on one split, in table order."""
        return [result for result in self.results if result.split == split]

    def difference(
        self, model: str, baseline: str, sensor: str | None, metric: Metric
    ) -> PairedDifference | None:
        """Return one paired difference, None if the two models were not compared there."""
        wanted = (model, baseline, sensor, metric)
        return next(
            (d for d in self.differences if (d.model, d.baseline, d.sensor, d.metric) == wanted), None
        )


def headline_split(splits: Sequence[str]) -> str:
    """Return ``sn6-clean`` if every model was scored there too, else ``sn6-kang``.

    Args:
        splits: Split of every result; each model has one on ``sn6-kang``.
    """
    return CLEAN if 2 * splits.count(CLEAN) == len(splits) else KANG


def write_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write the results as JSON, floats so that they read back unchanged."""
    write_json(path, asdict(evaluation))


def read_evaluation(path: Path) -> Evaluation:
    """Read what :func:`write_evaluation` wrote.

    Raises:
        MissingInputError: If the file is absent.
        BadDataError: If it does not hold an evaluation of this version of the code.
    """
    values = read_json(path, made_by="evaluate")
    try:
        return TypeAdapter(Evaluation).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BadDataError(
            f"{path} does not fit this version of the code: {place}: {first['msg']}",
            next_step="run `dvc repro --force evaluate`",
        ) from error
