"""Command line: score predicted change against the truth, or a trained change model on its test pairs.

``python -m components.evaluate change`` is the same command.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.lib.cli import run


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and score."""
    parser = _parser()
    options = parser.parse_args(arguments)
    given = [name for name in _OF_FILES if getattr(options, name) != parser.get_default(name)]
    if options.method is not None:
        if given:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
            parser.error(
                f"--method scores a model by its own threshold and the usual rules: leave out {flags}"
            )
        _score_model(options)
        return
    if options.truth is None or options.prediction is None:
        parser.error("--truth and --prediction are needed, or --method")
    _score(options, given)


_OF_FILES = ("truth", "prediction", "threshold", "iou", "min_area", "tolerance", "scene")
"""Options of the score of files, which a model's score does not know."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.evaluate change",
        description="Precision, recall, F1 and IoU of changed pixels and changed objects, of sums over all "
        "pairs: of files (--truth, --prediction), or of a trained model (--method).",
    )
    files = parser.add_argument_group(
        "score of files",
        "Two folders of masks (PNG or TIFF) are matched by the names of their files without suffix. A mask "
        "has 0 and 1, 0 and 255, or 0, 1 and 255 for unknown. Of two files of changed buildings (GeoParquet, "
        "GPKG, GeoJSON, or folders with one) the objects alone count. Nothing tells whether truth and "
        "prediction were swapped: precision and recall change places, F1 and IoU stay.",
    )
    files.add_argument("--truth", type=Path, metavar="DIR", help="folder, or file, of what changed")
    files.add_argument("--prediction", type=Path, metavar="DIR", help="the same, predicted")
    files.add_argument(
        "--threshold", type=float, metavar="P", help="the prediction holds probabilities; change lies above P"
    )
    files.add_argument(
        "--iou", type=float, default=0.5, metavar="R", help="least IoU of a matched object (%(default)s)"
    )
    files.add_argument(
        "--min-area", type=int, default=1, metavar="PX", help="smallest object, pixels (%(default)s)"
    )
    files.add_argument(
        "--tolerance", type=float, default=3.0, metavar="PX", help="of relaxed scores, pixels (%(default)s)"
    )
    files.add_argument(
        "--scene",
        metavar="REGEX",
        help="pattern whose one group, found in a stem, names the scene, the unit of intervals; each pair by "
        "default",
    )
    model = parser.add_argument_group(
        "score of a model",
        "models/change/METHOD on the test pairs of its data set (data/pairs), in whole tiles and in crops of "
        "256 pixels; into reports/evaluate_change/METHOD, with a sheet of pictures.",
    )
    model.add_argument("--method", metavar="METHOD", help="change method of a trained model: sgsln, ...")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return parser


# Heavy imports stay inside the commands: scoring masks needs no torch.


def _score(options: argparse.Namespace, given: list[str]) -> None:
    from components.evaluate.change.command import score_change  # noqa: PLC0415
    from components.evaluate.change.text import as_text  # noqa: PLC0415

    document = score_change(options, given)
    _warn(document)
    print(json.dumps(document) if options.json else as_text(document))


def _score_model(options: argparse.Namespace) -> None:
    from components.evaluate.parameters import EvaluateParameters  # noqa: PLC0415
    from components.lib.config.loader import load_parameters  # noqa: PLC0415
    from components.lib.config.scoring import ScoringSettings  # noqa: PLC0415

    parameters = load_parameters("evaluate", EvaluateParameters)
    settings = load_parameters("scoring", ScoringSettings)
    from components.evaluate.change.models import ChangeFolders, evaluate_model  # noqa: PLC0415
    from components.evaluate.change.text import model_as_text  # noqa: PLC0415
    from components.lib.change.scoring.scores import ChangeRules  # noqa: PLC0415
    from components.lib.inference.device import choose_device  # noqa: PLC0415

    details = evaluate_model(
        options.method,
        ChangeFolders(),
        rules=ChangeRules.of(settings),
        confidence=parameters.confidence,
        device=choose_device(parameters.device, "evaluate.device"),
    )
    _warn(details)
    print(json.dumps(details) if options.json else model_as_text(details))


def _warn(document: Mapping[str, Any]) -> None:
    for warning in document["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    run(main)
