"""Scores of change over a set of pairs, from counts that are summed over all of them.

All ratios are of global sums (one confusion matrix for the whole set, the positive class), as the published
tables are, not means over pairs. A ratio without a denominator is undefined, None, and not 0: no precision
without a prediction, no recall without a truth, no F1 and no IoU without either. F1 and IoU are 0 as soon as
one of the two has anything that the other has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.contract.errors import ParameterError
from components.lib.change.scoring.parts import changed_parts, match_parts
from components.lib.change.scoring.relaxed import TOLERANCE_PX, RelaxedCounts, count_relaxed
from components.lib.change.terms import CHANGED, UNKNOWN
from components.lib.config.scoring import ScoringSettings
from components.lib.metrics.counts import Counts, count_pixels
from components.lib.metrics.intervals import Interval, location_interval

_INTERVALS: Final = {"pixel_f1": "px_f1", "pixel_iou": "iou", "object_f1": "f1"}
"""Scores that have an interval, by their statistic of :mod:`components.lib.metrics.blocksums`."""

_RELAXED: Final = ("predicted", "predicted_near", "truth", "truth_near")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRules:
    """Rules of the scores.

    Attributes:
        iou: Least intersection over union of a true and a predicted part that match.
        min_area_px: Smaller parts of truth and prediction are no objects, pixels; pixel scores count them.
        tolerance_px: Tolerance of the relaxed scores, pixels.
    """

    iou: float = 0.5
    min_area_px: int = 1
    tolerance_px: float = TOLERANCE_PX

    @classmethod
    def of(cls, settings: ScoringSettings) -> ChangeRules:
        """Return the rules of the section `scoring`, by which buildings are matched and counted."""
        return cls(iou=settings.iou, min_area_px=max(settings.min_area_px, 1))

    def __post_init__(self) -> None:
        if not (0.0 < self.iou <= 1.0 and self.min_area_px >= 1 and 0.0 <= self.tolerance_px < np.inf):
            raise ParameterError(
                f"iou {self.iou}, min_area_px {self.min_area_px}, tolerance_px {self.tolerance_px}: the IoU "
                "must lie above 0 and not above 1, the area be at least 1, the tolerance 0 or more",
                next_step="SpaceNet takes an IoU of 0.5, of small buildings 0.25; the tolerance is mostly 3",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """Counts of one pair.

    Attributes:
        name: Name of the pair.
        scene: Ground that it shows: the unit of intervals.
        pixels: Known pixels.
        unknown: Pixels that do not count.
        objects: Changed parts; tn is 0.
        relaxed: Pixels within the tolerance.
    """

    name: str
    scene: str
    pixels: Counts
    unknown: int
    objects: Counts
    relaxed: RelaxedCounts


def score_pair(
    predicted: npt.NDArray[np.bool_],
    label: npt.NDArray[np.uint8],
    rules: ChangeRules,
    *,
    name: str,
    scene: str | None = None,
    buildings: npt.NDArray[np.int32] | None = None,
) -> PairScore:
    """Count one pair.

    Args:
        predicted: (H, W), True where change is predicted.
        label: (H, W), ``UNCHANGED``, ``CHANGED`` or ``UNKNOWN``; the last count nowhere.
        rules: Matching of objects and tolerance.
        name: Name of the pair.
        scene: Ground that it shows; its name by default.
        buildings: (H, W) changed buildings numbered 1..N, 0 elsewhere, where they are known one by one; by
            default each connected part of the label is one.

    Raises:
        ValueError: If the shapes differ.
    """
    if predicted.shape != label.shape:
        raise ValueError(f"{name}: the prediction is {predicted.shape}, the label {label.shape}")
    known, truth = label != UNKNOWN, label == CHANGED
    true_parts = changed_parts(truth, rules.min_area_px) if buildings is None else buildings
    parts = match_parts(true_parts, changed_parts(predicted, rules.min_area_px), known, rules.iou)
    return PairScore(
        name=name,
        scene=scene or name,
        pixels=count_pixels(predicted, truth, known),
        unknown=int(label.size - np.count_nonzero(known)),
        objects=parts.counts,
        relaxed=count_relaxed(predicted, truth, known, rules.tolerance_px),
    )


@dataclass(frozen=True, slots=True)
class ChangeScores:
    """Scores of a set of pairs.

    Attributes:
        pairs: Counts by pair.
        rules: Rules that they were counted by.
    """

    pairs: Sequence[PairScore]
    rules: ChangeRules

    @property
    def pixels(self) -> Counts:
        """Pixels of all pairs."""
        return sum((pair.pixels for pair in self.pairs), start=Counts(0, 0, 0))

    @property
    def objects(self) -> Counts:
        """Changed parts of all pairs."""
        return sum((pair.objects for pair in self.pairs), start=Counts(0, 0, 0))

    @property
    def relaxed(self) -> RelaxedCounts:
        """Pixels within the tolerance, of all pairs."""
        return sum((pair.relaxed for pair in self.pairs), start=RelaxedCounts(0, 0, 0, 0))

    @property
    def scenes(self) -> int:
        """Number of scenes."""
        return len({pair.scene for pair in self.pairs})

    def table(self) -> pd.DataFrame:
        """Return a row per pair: ``image_id, scene``, the counts ``px_*``, ``tp, fp, fn``, and ``location``.

        The last is the scene as a ground block far from all others, which is what
        :mod:`components.lib.metrics.intervals` takes for independent ground.
        """
        rows = [
            {
                "sensor": "change",
                "image_id": pair.name,
                "scene": pair.scene,
                **{f"px_{name}": value for name, value in asdict(pair.pixels).items()},
                "px_unknown": pair.unknown,
                **{name: value for name, value in asdict(pair.objects).items() if name != "tn"},
                **{f"relaxed_{name}": getattr(pair.relaxed, name) for name in _RELAXED},
            }
            for pair in self.pairs
        ]
        table = pd.DataFrame(rows)
        numbers, _ = pd.factorize(table["scene"], sort=True)
        return table.assign(location=[f"{_APART * number}_0" for number in numbers])

    def intervals(self, confidence: float = 0.95) -> dict[str, Interval]:
        """Return F1 and IoU of pixels and F1 of objects with their intervals over scenes.

        Leaving out one scene at a time, Student's quantiles (:mod:`components.lib.metrics.intervals`): with
        few scenes of unequal size a percentile bootstrap over them is too narrow. Below 15 scenes with
        something to count the interval is unknown.
        """
        table = self.table()
        return {
            name: location_interval(table, statistic, confidence) for name, statistic in _INTERVALS.items()
        }

    def as_dict(self, confidence: float = 0.95) -> dict[str, Any]:
        """Return all scores by name, ready for JSON; undefined ones are None."""
        pixels, objects, relaxed = self.pixels, self.objects, self.relaxed
        return {
            "pairs": len(self.pairs),
            "scenes": self.scenes,
            "rules": asdict(self.rules),
            "pixels": {
                **asdict(pixels),
                "unknown": sum(pair.unknown for pair in self.pairs),
                **ratios(pixels),
                "iou": ratios(pixels)["f1"] if ratios(pixels)["f1"] is None else pixels.iou,
            },
            "objects": {"tp": objects.tp, "fp": objects.fp, "fn": objects.fn, **ratios(objects)},
            "relaxed": {"precision": relaxed.precision, "recall": relaxed.recall, "f1": relaxed.f1},
            "intervals": {
                name: None if interval.degenerate else {"low": interval.low, "high": interval.high}
                for name, interval in self.intervals(confidence).items()
            },
            "confidence": confidence,
        }


_APART = 10
"""Blocks between two scenes: beyond what adjoins or correlates."""


def ratios(counts: Counts) -> dict[str, float | None]:
    """Return precision, recall and F1; None where undefined."""
    predicted, truth = counts.tp + counts.fp, counts.tp + counts.fn
    return {
        "precision": counts.precision if predicted else None,
        "recall": counts.recall if truth else None,
        "f1": counts.f1 if predicted or truth else None,
    }
