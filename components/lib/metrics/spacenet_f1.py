"""The SpaceNet building score, exactly as the Solaris evaluator counts it (docs/methods/metrics.md).

Per tile: truth of at least ``min_area`` and proposals above ``min_area`` square pixels; proposals in
descending confidence, each taking the still-unmatched truth polygon of largest IoU if that IoU is strictly
above the threshold. An invalid proposal is repaired by ``buffer(0)``, after the area filter as Solaris does;
an invalid truth polygon scores IoU 0. Counts are summed over the union of the tiles (micro average).

One departure: equal confidences keep file order, where Solaris leaves the order to an unstable sort.

All tiles share one STRtree: every tile's boxes are moved to a column of their own, while the areas are taken
in the tiles' own coordinates. GEOS runs without the interpreter lock: two threads share the intersections.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from components.contract.errors import ParameterError
from components.lib.metrics.counts import Counts
from components.lib.metrics.plausibility import doubts_about
from components.lib.metrics.polygon_csv import read_polygon_csv

_LOG = logging.getLogger(__name__)

_ROUNDING = 1e-9
"""IoUs this near the threshold are taken again from the union itself, the arithmetic Solaris uses."""

_Float = NDArray[np.float64]
_Index = NDArray[np.intp]
_Bool = NDArray[np.bool_]
_Objects = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Matches:
    """Match of every polygon, in the order given.

    Attributes:
        truth_kept: (T,) bool, truth large enough to count.
        truth_matched: (T,) bool, found; kept and not matched is a false negative.
        truth_iou: (T,) float64, IoU with its proposal, 0 where unmatched.
        proposal_kept: (P,) bool, proposals large enough to count.
        proposal_matched: (P,) bool, true positives; kept and not matched is a false positive.
        proposal_iou: (P,) float64, IoU with its truth polygon, 0 where unmatched.
        partner: (P,) int, index of the matched truth polygon, -1 where unmatched.
    """

    truth_kept: _Bool
    truth_matched: _Bool
    truth_iou: _Float
    proposal_kept: _Bool
    proposal_matched: _Bool
    proposal_iou: _Float
    partner: _Index

    @property
    def counts(self) -> Counts:
        """Counts over all tiles."""
        found = int(self.proposal_matched.sum())
        return Counts(found, int(self.proposal_kept.sum()) - found, int(self.truth_kept.sum()) - found)


def solaris_numbers(counts: Counts) -> dict[str, float]:
    """Return the six numbers of a score under the names that the Solaris evaluator gives them."""
    return {
        "TP": counts.tp,
        "FP": counts.fp,
        "FN": counts.fn,
        "precision": counts.precision,
        "recall": counts.recall,
        "F1": counts.f1,
    }


def score_csv(
    truth: Path,
    proposals: Path,
    min_area: float = 80.0,
    iou: float = 0.5,
    *,
    threads: int = 2,
    tell: Callable[[str], None] = _LOG.warning,
) -> Counts:
    """Score a proposal CSV against a truth CSV.

    Args:
        truth: CSV with ``ImageId`` and ``PolygonWKT_Pix``.
        proposals: The same, with an optional ``Confidence``.
        min_area: Square pixels (SpaceNet 6: 80, earlier ones: 20).
        iou: Threshold that a match must exceed.
        threads: Threads parsing and intersecting.
        tell: Function that takes each doubt about the meaning of the files, a sentence.

    Raises:
        MissingInputError: If a file is absent.
        BadDataError: If a file is malformed, naming file and line.
        ParameterError: If ``min_area`` or ``iou`` is out of range.
    """
    _check_limits(min_area, iou)
    true = read_polygon_csv(truth, threads=threads)
    proposed = read_polygon_csv(proposals, threads=threads)
    for doubt in doubts_about(true, proposed, min_area):
        tell(doubt)
    return match_polygons(
        true.geometry,
        proposed.geometry,
        truth_tiles=true.tiles,
        proposal_tiles=proposed.tiles,
        confidence=proposed.confidence,
        min_area=min_area,
        iou=iou,
        threads=threads,
    ).counts


def match_polygons(
    truth: Sequence[BaseGeometry] | _Objects,
    proposals: Sequence[BaseGeometry] | _Objects,
    *,
    truth_tiles: ArrayLike,
    proposal_tiles: ArrayLike,
    confidence: ArrayLike | None = None,
    min_area: float = 80.0,
    iou: float = 0.5,
    threads: int = 2,
) -> Matches:
    """Match proposals to truth, tile by tile, greedily and one to one.

    Args:
        truth: (T,) shapely polygons in tile pixels.
        proposals: (P,) shapely polygons in tile pixels.
        truth_tiles: (T,) tile ids.
        proposal_tiles: (P,) tile ids, of the same kind.
        confidence: (P,) numbers, 1 throughout if absent.
        min_area: Square pixels.
        iou: Threshold in (0, 1) that a match must exceed.
        threads: Threads intersecting.

    Raises:
        ParameterError: If ``min_area`` or ``iou`` is out of range.
    """
    _check_limits(min_area, iou)
    true, proposed = _objects(truth), _objects(proposals)
    true_area, proposed_area = shapely.area(true), shapely.area(proposed)
    # Solaris never counts a polygon without area, whatever min_area is.
    truth_kept = (true_area >= min_area) & (true_area > 0)
    proposal_kept = proposed_area > min_area
    weights = np.ones(len(proposed)) if confidence is None else np.asarray(confidence, dtype=np.float64)

    t, p = np.flatnonzero(truth_kept), np.flatnonzero(proposal_kept)
    true_columns, proposed_columns = _columns(truth_tiles, proposal_tiles)
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        pairs = _overlaps(
            _Side(true[t], true_columns[t]),
            _Side(proposed[p], proposed_columns[p]),
            iou,
            pool,
            max(1, threads),
        )
    chosen_t, chosen_p, chosen_iou = _greedy(*pairs, weights[p], len(t))

    truth_iou, proposal_iou = np.zeros(len(true)), np.zeros(len(proposed))
    partner = np.full(len(proposed), -1, dtype=np.intp)
    truth_iou[t[chosen_t]] = proposal_iou[p[chosen_p]] = chosen_iou
    partner[p[chosen_p]] = t[chosen_t]
    return Matches(truth_kept, truth_iou > 0, truth_iou, proposal_kept, partner >= 0, proposal_iou, partner)


@dataclass(slots=True)
class _Side:
    geometry: _Objects
    column: NDArray[np.int64]


def _check_limits(min_area: float, iou: float) -> None:
    if not (0.0 < iou < 1.0 and 0.0 <= min_area < math.inf):
        raise ParameterError(
            f"min_area {min_area} and iou {iou} must be finite and >= 0, and within (0, 1)",
            next_step="SpaceNet 6 uses min_area 80 and iou 0.5",
        )


def _overlaps(
    truth: _Side, proposed: _Side, threshold: float, pool: ThreadPoolExecutor, parts: int
) -> tuple[_Index, _Index, _Float]:
    """All pairs of one tile whose IoU exceeds ``threshold``: truth index, proposal index, IoU."""

    def spread(function: Callable[..., Any], *arrays: Any) -> Any:  # noqa: ANN401 - arrays of any kind
        pieces = zip(*(np.array_split(array, parts) for array in arrays), strict=True)
        return np.concatenate(list(pool.map(lambda piece: function(*piece), pieces)))

    repaired = proposed.geometry.copy()
    broken = ~spread(shapely.is_valid, repaired)
    repaired[broken] = shapely.buffer(repaired[broken], 0.0)
    # An invalid truth polygon scores IoU 0, so it never matches.
    true_valid = spread(shapely.is_valid, truth.geometry)

    width = _common_width(truth.geometry, repaired)
    tree = shapely.STRtree(_boxes(truth, width))
    p, t = tree.query(_boxes(_Side(repaired, proposed.column), width))
    true_area, area = shapely.area(truth.geometry)[t], shapely.area(repaired)[p]
    # min(a, b) / max(a, b) bounds the IoU from above; the slack keeps rounding from deciding.
    near = np.minimum(true_area, area) > (threshold - _ROUNDING) * np.maximum(true_area, area)
    near &= true_valid[t]
    p, t, true_area, area = p[near], t[near], true_area[near], area[near]
    shared = spread(lambda a, b: shapely.area(shapely.intersection(a, b)), truth.geometry[t], repaired[p])
    values = shared / (true_area + area - shared)
    close = np.flatnonzero(np.abs(values - threshold) < _ROUNDING)
    if close.size:
        values[close] = shared[close] / shapely.area(
            shapely.union(repaired[p[close]], truth.geometry[t[close]])
        )
    above = values > threshold
    return t[above], p[above], values[above]


def _greedy(
    t: _Index, p: _Index, iou: _Float, confidence: _Float, n_truth: int
) -> tuple[_Index, _Index, _Float]:
    """One-to-one choice: by confidence (ties: given order), then IoU (ties: first truth polygon).

    Only pairs above the threshold come in, so the first free truth polygon in this order is the one of
    maximal IoU among those still unmatched.
    """
    rank = np.empty(len(confidence), dtype=np.intp)
    rank[np.argsort(-confidence, kind="stable")] = np.arange(len(confidence))
    order = np.lexsort((t, -iou, rank[p]))
    free_t = np.ones(n_truth, dtype=bool).tolist()
    free_p = np.ones(len(confidence), dtype=bool).tolist()
    chosen = []
    for k, i, j in zip(order.tolist(), t[order].tolist(), p[order].tolist(), strict=True):
        if free_t[i] and free_p[j]:
            free_t[i] = free_p[j] = False
            chosen.append(k)
    picked = np.asarray(chosen, dtype=np.intp)
    return t[picked], p[picked], iou[picked]


def _columns(
    truth_tiles: ArrayLike, proposal_tiles: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tile ids as integers 0, 1, ... over the union of both sides."""
    first, second = np.asarray(truth_tiles, dtype=object), np.asarray(proposal_tiles, dtype=object)
    codes, _ = pd.factorize(np.concatenate([first, second]))
    return codes[: len(first)].astype(np.int64), codes[len(first) :].astype(np.int64)


def _common_width(*sides: _Objects) -> float:
    """A column width that holds every tile's polygons apart from the next tile's."""
    bounds = np.concatenate([shapely.bounds(side) for side in sides])
    return 1.0 if not len(bounds) else float(np.nanmax(bounds) - np.nanmin(bounds)) + 1.0


def _boxes(side: _Side, width: float) -> _Objects:
    bounds = shapely.bounds(side.geometry)
    shift = side.column * width
    boxes = shapely.box(bounds[:, 0] + shift, bounds[:, 1], bounds[:, 2] + shift, bounds[:, 3])
    return np.asarray(boxes, dtype=object)


def _objects(values: Sequence[BaseGeometry] | _Objects) -> _Objects:
    return np.asarray(values, dtype=object).reshape(-1)
