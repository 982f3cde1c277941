"""Pixel score of a model on tiles without labels, expected from its calibrated probabilities.

The calibration is the share of building pixels at each predicted probability on labelled tiles that training
did not see, made monotone. If it holds on other tiles, too, their pixels above the threshold are right with
that probability, and those below it are missed with it: the expected counts make the score (average
confidence in Garg et al., "Leveraging Unlabeled Data to Predict Out-of-Distribution Performance", ICLR 2022;
CBPE in NannyML). Their average thresholded confidence (ATC) is computed beside it, for predicted building and
ground each: as many of the least confident pixels count as wrong as were wrong on the labelled tiles, and the
confidence that divides those from the others is kept.

A shift that makes the model confidently wrong shows in neither (docs/methods/drift.md gives the error).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import isotonic_regression

from components.contract.errors import BadDataError, ParameterError
from components.lib.metrics.blocksums import PIXELS, statistic_of
from components.lib.metrics.intervals import Interval, paired_location_difference, unknown_interval
from components.lib.metrics.probabilities import BINS, ProbabilityHistogram, first_bin

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

PixelMetric = Literal["iou", "px_f1"]

PIXEL_METRICS: tuple[PixelMetric, ...] = get_args(PixelMetric)
"""Scores that are estimated: those of pixels, as the probability of a whole building is not calibrated."""

RESAMPLES: Final = 199
"""Calibrations from resampled ground blocks, whose spread is part of the interval."""


@dataclass(frozen=True, slots=True, eq=False)
class BlockProbabilities:
    """Probabilities that a model gave to pixels, counted by ground block.

    Attributes:
        blocks: Names of the ground blocks, sorted.
        pixels: Pixels by block and bin of :class:`ProbabilityHistogram`, int64 (blocks, BINS).
        building: Those of them that are building, of the same shape; None where there are no labels.
    """

    blocks: tuple[str, ...]
    pixels: Integers
    building: Integers | None

    @classmethod
    def of(
        cls, parts: Iterable[tuple[str, ProbabilityHistogram]], *, labelled: bool = True
    ) -> BlockProbabilities:
        """Sum the histograms of parts of tiles by their ground block.

        Args:
            parts: Ground block and histogram of each part; without labels all its pixels are ground.
            labelled: Whether there are labels.

        Raises:
            BadDataError: If no part holds a pixel.
        """
        sums: dict[str, ProbabilityHistogram] = {}
        for block, histogram in parts:
            sums[block] = sums.get(block, ProbabilityHistogram.empty()) + histogram
        blocks = tuple(sorted(name for name, found in sums.items() if (found.building + found.ground).any()))
        if not blocks:
            raise BadDataError("no pixel of the tiles has data", next_step="name tiles with valid pixels")
        building = np.stack([sums[name].building for name in blocks])
        ground = np.stack([sums[name].ground for name in blocks])
        return cls(blocks, building + ground, building if labelled else None)

    def counts(self, share: Floats | None, threshold: float) -> pd.DataFrame:
        """Return the pixel counts ``px_tp, px_fp, px_fn, px_tn`` by ground block, as a score table.

        Args:
            share: Share of the pixels of each bin that are building, (BINS,), for expected counts; None for
                the true ones, which need labels.
            threshold: Threshold of the model.

        Raises:
            ParameterError: If the threshold cuts a bin in two.
            ValueError: If true counts are asked for without labels.
        """
        building = self._labels() if share is None else self.pixels * share
        sides = (building, self.pixels - building)
        above, below = ([side[:, part].sum(axis=1) for side in sides] for part in _cut(threshold))
        values = (above[0], above[1], below[0], below[1])
        keys = {"sensor": "", "image_id": "", "location": list(self.blocks)}
        return pd.DataFrame({**keys, **dict(zip(PIXELS, values, strict=True))})

    def _labels(self) -> Floats:
        if self.building is None:
            raise ValueError("there are no labels to count by")
        return self.building.astype(np.float64)


def calibrated(pixels: Integers, building: Integers) -> Floats:
    """Return the share of building pixels by predicted probability, never falling, (BINS,).

    Isotonic regression with the pixels as weights (pool adjacent violators): a store has so many pixels that
    no form of the curve has to be assumed, and their total of building pixels is kept. Bins without a pixel
    take the share between their neighbours.

    Args:
        pixels: Pixels by bin, (BINS,).
        building: Those of them that are building, (BINS,).

    Raises:
        BadDataError: If there is no building or no ground pixel to calibrate by.
    """
    if not 0 < building.sum() < pixels.sum():
        raise BadDataError(
            "the labelled tiles hold no building pixel, or nothing else: there is nothing to calibrate by",
            next_step="name a store whose selection slice has buildings",
        )
    filled = np.flatnonzero(pixels)
    fit = isotonic_regression(building[filled] / pixels[filled], weights=pixels[filled]).x
    share: Floats = np.interp(np.arange(BINS), filled, fit)
    return share


def thresholded(pixels: Integers, building: Integers, threshold: float) -> Floats:
    """Return the share of building pixels by bin that average thresholded confidence assumes, (BINS,).

    Args:
        pixels: Pixels of labelled tiles by bin, (BINS,).
        building: Those of them that are building, (BINS,).
        threshold: Threshold of the model.
    """
    share = np.zeros(BINS)
    above, below = _cut(threshold)
    share[above] = _most_confident(pixels[above][::-1], int(building[above].sum()))[::-1]
    ground = int((pixels - building)[below].sum())
    share[below] = 1.0 - _most_confident(pixels[below], ground)
    return share


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEstimate:
    """Estimate of one score.

    Attributes:
        metric: Name of the score.
        expected: Expected score with its interval, unknown where the calibration has too few ground blocks.
            It holds where the calibration does; a shift that breaks the calibration is not in it.
        thresholded: Score by average thresholded confidence.
        reference: Score on the labelled tiles of the calibration.
        true: Score against labels; None where there are none.
    """

    metric: PixelMetric
    expected: Interval
    thresholded: float
    reference: float
    true: float | None


def estimate_score(
    reference: BlockProbabilities,
    tiles: BlockProbabilities,
    threshold: float,
    *,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[PixelMetric, MetricEstimate]:
    """Estimate the scores of a model from its probabilities.

    The interval is one of the true score on these very tiles. Its variance is that of the calibration over
    resampled ground blocks of the reference (bootstrap), plus that by which true scores differ from expected
    ones between blocks of the reference, as on an area of the tiles' size.

    Args:
        reference: Probabilities on labelled tiles that training did not see.
        tiles: Probabilities on the tiles whose score is wanted; their labels serve the true score alone.
        threshold: Threshold of the model.
        confidence: Of the interval, in (0, 1).
        resamples: Resampled calibrations.
        seed: Seed of the resampling.

    Raises:
        ParameterError: If the threshold cuts a bin in two, or the confidence is out of range.
        BadDataError: If there is nothing to calibrate by.
        ValueError: If the reference has no labels.
    """
    if reference.building is None:
        raise ValueError("a calibration needs labels")
    sums = reference.pixels.sum(axis=0), reference.building.sum(axis=0)
    calibration = calibrated(*sums)
    expected = tiles.counts(calibration, threshold)
    by_confidence = tiles.counts(thresholded(*sums, threshold), threshold)
    of_reference = reference.counts(None, threshold)
    refitted = reference.counts(calibration, threshold)
    larger = max(*(of(reference) / of(tiles) for of in (_pixels, _even_blocks)))
    truth = None if tiles.building is None else tiles.counts(None, threshold)
    spread = _calibration_spread(reference, tiles, threshold, resamples, seed)
    return {
        metric: MetricEstimate(
            metric=metric,
            expected=_interval(
                _score(expected, metric),
                paired_location_difference(of_reference, refitted, metric, confidence),
                larger,
                spread[metric],
            ),
            thresholded=_score(by_confidence, metric),
            reference=_score(of_reference, metric),
            true=None if truth is None else _score(truth, metric),
        )
        for metric in PIXEL_METRICS
    }


def _calibration_spread(
    reference: BlockProbabilities, tiles: BlockProbabilities, threshold: float, resamples: int, seed: int
) -> dict[PixelMetric, float]:
    """Return the variance of each estimate over calibrations from resampled blocks of the reference."""
    assert reference.building is not None
    rng = np.random.default_rng(seed)
    found: Mapping[PixelMetric, list[float]] = {metric: [] for metric in PIXEL_METRICS}
    whole = BlockProbabilities(("0_0",), tiles.pixels.sum(axis=0, keepdims=True), None)
    blocks = len(reference.blocks)
    for times in rng.multinomial(blocks, np.full(blocks, 1.0 / blocks), size=resamples):
        pixels, building = times @ reference.pixels, times @ reference.building
        if not 0 < building.sum() < pixels.sum():
            continue
        counts = whole.counts(calibrated(pixels, building), threshold)
        for metric, values in found.items():
            values.append(_score(counts, metric))
    return {metric: float(np.var(values)) if values else 0.0 for metric, values in found.items()}


def _score(counts: pd.DataFrame, metric: PixelMetric) -> float:
    return float(statistic_of(metric)({name: counts[name].to_numpy(np.float64).sum() for name in PIXELS}))


def _interval(value: float, residual: Interval, larger: float, spread: float) -> Interval:
    """Return the interval of an estimate, cut to 0 and 1 as the score is.

    Args:
        value: The estimate.
        residual: True less expected score on the reference, with its interval over ground blocks.
        larger: Factor by which the reference is larger than the tiles: variances grow by it.
        spread: Variance of the estimate by the calibration.
    """
    if residual.degenerate:
        return unknown_interval(value, residual.confidence, residual.locations)
    error = residual.standard_error * larger**0.5
    found = replace(residual, value=value, standard_error=error).with_variance(spread)
    low, high = max(found.low, 0.0), min(found.high, 1.0)
    return replace(found, low=low, high=high, lower_bound=max(found.lower_bound, 0.0))


def _pixels(side: BlockProbabilities) -> float:
    return float(side.pixels.sum())


def _even_blocks(side: BlockProbabilities) -> float:
    """Return the number of blocks of one size that vary as much as these of several."""
    sizes = side.pixels.sum(axis=1, dtype=np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def _cut(threshold: float) -> tuple[slice, slice]:
    """Return the bins above and below a threshold."""
    try:
        first = first_bin(threshold)
    except ValueError as error:
        raise ParameterError(
            f"{error}, by which probabilities are counted",
            next_step="set scoring.threshold to model, or to such a multiple",
        ) from error
    return slice(first, None), slice(None, first)


def _most_confident(pixels: Integers, right: int) -> Floats:
    """Return the share of each bin that counts as right, where ``right`` pixels are, the first bins first."""
    before = np.cumsum(pixels) - pixels
    return np.clip((right - before) / np.maximum(pixels, 1), 0.0, 1.0)
