"""Doubts about the input of a score: sentences about what may not be what it is taken for."""

from __future__ import annotations

from pathlib import Path

import shapely

from components.evaluate.change.footprints import Geometries, Outlines
from components.lib.change.scoring.scores import ChangeScores


def same_place(truth: Path, prediction: Path) -> list[str]:
    """Return a doubt if truth and prediction are one file or folder."""
    return ["truth and prediction are the same"] if truth.samefile(prediction) else []


def doubts_of_pixels(scores: ChangeScores) -> list[str]:
    """Return doubts about masks of which nothing, or everything, is changed."""
    pixels, doubts = scores.pixels, []
    if not pixels.tp + pixels.fn:
        doubts.append("no pixel of the truth is changed: recall is undefined")
    if not pixels.tp + pixels.fp:
        doubts.append("no pixel of the prediction is changed: precision is undefined")
    if pixels.tp + pixels.fn and not pixels.fp + pixels.tn:
        doubts.append("all known ground of the truth is changed")
    return doubts


def doubts_of_outlines(
    files: tuple[Outlines, Outlines], truth: Geometries, prediction: Geometries
) -> list[str]:
    """Return doubts about two files of changed buildings.

    Args:
        files: Truth and prediction as their files hold them.
        truth: True buildings, in the CRS of the comparison.
        prediction: Predicted buildings, in the same CRS.
    """
    doubts = []
    if files[0].crs is None:
        doubts.append("neither file states a CRS: their coordinates are taken as they are")
    if not len(truth):
        doubts.append("the truth has no building: recall is undefined")
    if not len(prediction):
        doubts.append("the prediction has no building: precision is undefined")
    if len(truth) and len(prediction) and not _meet(truth, prediction):
        doubts.append("truth and prediction show no common ground: is the CRS of both right?")
    stated = [outlines.path for outlines in files if outlines.kinds is not None]
    if len(stated) == 1:
        doubts.append(f"only {stated[0]} has kinds of change, so that nothing is scored by kind")
    return doubts


def _meet(truth: Geometries, prediction: Geometries) -> bool:
    first, second = (shapely.box(*shapely.total_bounds(polygons)) for polygons in (truth, prediction))
    return bool(first.intersects(second))
