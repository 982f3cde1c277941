"""``python -m components.evaluate change``: predicted change against the truth."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tqdm import tqdm

from components.contract.errors import BadDataError, ParameterError
from components.evaluate.change.doubts import doubts_of_outlines, doubts_of_pixels, same_place
from components.evaluate.change.footprints import footprint_file, in_one_crs, read_outlines
from components.evaluate.change.masks import MaskFolder, common_stems, labels_and_predictions
from components.lib.change.scoring.outlines import match_outlines
from components.lib.change.scoring.scores import ChangeRules, ChangeScores, ratios, score_pair
from components.lib.change.terms import CHANGED, UNKNOWN
from components.lib.metrics.counts import Counts

CONFIDENCE = 0.95


OF_MASKS = ("threshold", "min_area", "tolerance", "scene")
"""Options that footprints have no use for."""


def score_change(options: argparse.Namespace, given: Collection[str]) -> dict[str, Any]:
    """Return the scores of what the command line names, ready for JSON.

    Args:
        options: The command line.
        given: Names of the options that a user set.

    Raises:
        StormsightError: As :func:`score_masks` and :func:`score_outlines`.
        ParameterError: If only one of the two holds footprints, or if they are given options of masks.
    """
    found = _score(options, given)
    found["warnings"] = same_place(options.truth, options.prediction) + found["warnings"]
    return found


def _score(options: argparse.Namespace, given: Collection[str]) -> dict[str, Any]:
    rules = ChangeRules(iou=options.iou, min_area_px=options.min_area, tolerance_px=options.tolerance)
    files = footprint_file(options.truth), footprint_file(options.prediction)
    if files[0] is not None and files[1] is not None:
        if unused := [f"--{name.replace('_', '-')}" for name in OF_MASKS if name in given]:
            raise ParameterError(
                f"{', '.join(unused)}: for masks only, and {files[0]} holds footprints",
                next_step="leave out what is for masks",
            )
        return score_outlines(files[0], files[1], rules.iou)
    if any(file is not None for file in files):
        raise ParameterError(
            f"{options.truth} and {options.prediction}: one holds footprints, the other does not",
            next_step="give two folders of masks, or two files of footprints",
        )
    return score_masks(
        options.truth,
        options.prediction,
        rules,
        threshold=options.threshold,
        scene_of=_pattern(options.scene),
    )


def score_masks(
    truth: Path,
    prediction: Path,
    rules: ChangeRules,
    *,
    threshold: float | None = None,
    scene_of: re.Pattern[str] | None = None,
) -> dict[str, Any]:
    """Score a folder of predicted masks against a folder of true ones.

    Args:
        truth: Folder of true masks.
        prediction: Folder of predicted masks, or of probabilities.
        rules: Matching of objects and tolerance.
        threshold: Probability above which change is predicted; None if the prediction holds masks.
        scene_of: Pattern whose first group, found in a stem, names the scene; by default each pair is one.

    Returns:
        The scores, ready for JSON; see :meth:`ChangeScores.as_dict`.

    Raises:
        MissingInputError: If a folder is missing.
        BadDataError: If a folder, pair or mask is bad, naming it.
        ParameterError: If the threshold is no probability.
    """
    if threshold is not None and not 0.0 <= threshold < 1.0:
        raise ParameterError(
            f"threshold {threshold} must lie between 0 and 1", next_step="use for instance 0.5"
        )
    folders = MaskFolder(truth), MaskFolder(prediction)
    found, unknown = [], 0
    pairs = labels_and_predictions(*folders, threshold)
    bar = tqdm(pairs, total=len(common_stems(*folders)), desc="score", unit="pair", disable=None, leave=False)
    for stem, label, predicted in bar:
        unknown += int((predicted == UNKNOWN).sum())
        scene = _scene(stem, scene_of)
        found.append(score_pair(predicted == CHANGED, label, rules, name=stem, scene=scene))
    scores = ChangeScores(found, rules)
    doubts = doubts_of_pixels(scores)
    if unknown:
        doubts.append(
            f"the prediction has {unknown:,} unknown pixels, which count as unchanged: truth and prediction "
            "may have been swapped"
        )
    if threshold is not None and folders[1].highest_level == 1:
        doubts.append(
            "the highest probability of the prediction is 1 of 255: if it holds masks of 0 and 1, leave out "
            "--threshold"
        )
    return {"kind": "masks", **scores.as_dict(CONFIDENCE), "warnings": doubts}


def score_outlines(truth: Path, prediction: Path, iou: float) -> dict[str, Any]:
    """Score a file of predicted changed buildings against one of true ones.

    Args:
        truth: GeoParquet, GeoPackage or GeoJSON file.
        prediction: The same.
        iou: Least intersection over union of a match.

    Returns:
        The scores of all, and by kind of change (matched within the kind) where both files state it.

    Raises:
        MissingInputError: If a file is missing.
        BadDataError: If a file cannot be read or the CRS of one is unknown.
    """
    true, predicted = read_outlines(truth), read_outlines(prediction)
    first, second = in_one_crs(true, predicted)
    counts = match_outlines(first, second, iou)
    by_kind = {}
    if true.kinds is not None and predicted.kinds is not None:
        for kind in sorted({*true.kinds.tolist(), *predicted.kinds.tolist()}):
            chosen = first[true.kinds == kind], second[predicted.kinds == kind]
            by_kind[kind] = _objects(match_outlines(*chosen, iou))
    return {
        "kind": "footprints",
        "rules": {"iou": iou},
        "objects": _objects(counts),
        "kinds": by_kind,
        "warnings": doubts_of_outlines((true, predicted), first, second),
    }


def _objects(counts: Counts) -> dict[str, Any]:
    return {"tp": counts.tp, "fp": counts.fp, "fn": counts.fn, **ratios(counts)}


def _scene(stem: str, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return stem
    match = pattern.search(stem)
    if match is None or not match[1]:
        why = "does not match" if match is None else "has nothing in the group of"
        raise BadDataError(
            f"{stem} {why} --scene {pattern.pattern}", next_step="correct the pattern, or leave it out"
        )
    return match[1]


def _pattern(text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise ParameterError(
            f"--scene {text!r} is no regular expression: {error}", next_step="correct it"
        ) from error
    if pattern.groups != 1:
        raise ParameterError(
            f"--scene {text!r} must have one group, which names the scene",
            next_step=r"for LEVIR-CD's crops give '(.+)_\d+_\d+'",
        )
    return pattern
