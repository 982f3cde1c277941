"""Command line: score models, SpaceNet CSVs, change or road graphs, or choose the watershed's seeds."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

from components.lib.cli import run

_ELSEWHERE = ("change", "apls")
"""Commands in packages of their own."""


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run one command."""
    given = sys.argv[1:] if arguments is None else arguments
    if given and given[0] in _ELSEWHERE:
        # By its name: this code is no part of the stage that scores buildings.
        import_module(f"components.evaluate.{given[0]}.__main__").main(given[1:])
        return
    options = _parser().parse_args(given)
    options.run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.evaluate",
        description="Without a command: score every model on held-out ground. "
        "`python -m components.report` then draws the report.",
    )
    parser.set_defaults(run=_evaluate)
    commands = parser.add_subparsers(metavar="[score | tune | change | apls]")
    score = commands.add_parser(
        "score",
        help="score SpaceNet building CSVs",
        description="SpaceNet building score of a proposal CSV against a truth CSV "
        "(ImageId, BuildingId, PolygonWKT_Pix[, Confidence]).",
    )
    score.set_defaults(run=_score)
    score.add_argument("--truth", type=Path, required=True, help="CSV of true footprints")
    score.add_argument("--proposals", type=Path, required=True, help="CSV of proposals")
    score.add_argument(
        "--min-area", type=float, default=80.0, help="smallest area, square pixels (%(default)s)"
    )
    score.add_argument("--iou", type=float, default=0.5, help="a match must exceed this IoU (%(default)s)")
    score.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    tune = commands.add_parser(
        "tune",
        help="compare seeds of the watershed on the selection slice",
        description="SpaceNet F1 on the selection slice for every seed threshold and least seed, and for "
        "the plain vectoriser. Prints tables and changes nothing; the test split is not opened.",
    )
    tune.set_defaults(run=_tune)
    tune.add_argument(
        "models", nargs="*", type=Path, help="model folders with a contour head (all of models/sar)"
    )
    tune.add_argument("--store", type=Path, default=Path("data/prepared"), help="(%(default)s)")
    tune.add_argument("--sensor", help="whose tiles (the sensor each model was first trained on)")
    tune.add_argument("--seed-thresholds", nargs="+", type=float, metavar="P", help="(0.45 to 0.85)")
    tune.add_argument("--min-seeds", nargs="+", type=int, metavar="PX", help="(30, 60 and 110 pixels)")
    tune.add_argument("--json", action="store_true", help="print the rows as JSON instead of tables")
    # Never reached: the first word sends them to commands of their own.
    commands.add_parser("change", help="score predicted change, or a change model", add_help=False)
    commands.add_parser("apls", help="score road graphs: APLS, TOPO, relaxed scores", add_help=False)
    return parser


# Heavy imports stay inside the commands: scoring CSVs needs no torch, and a typo in the parameters is
# reported before torch is loaded.


def _tune(options: argparse.Namespace) -> None:
    from components.evaluate.parameters import EvaluateParameters  # noqa: PLC0415
    from components.lib.config.loader import load_parameters  # noqa: PLC0415
    from components.lib.config.scoring import ScoringSettings  # noqa: PLC0415

    parameters = load_parameters("evaluate", EvaluateParameters)
    settings = load_parameters("scoring", ScoringSettings)
    from components.evaluate.tune import Candidates, as_text, tune  # noqa: PLC0415
    from components.lib.files import require_input  # noqa: PLC0415
    from components.lib.inference.device import choose_device  # noqa: PLC0415
    from components.lib.store.store import Store  # noqa: PLC0415

    given = {
        "seed_thresholds": options.seed_thresholds and tuple(options.seed_thresholds),
        "min_seeds_px": options.min_seeds and tuple(options.min_seeds),
    }
    table = tune(
        options.models or sorted(require_input(Path("models/sar"), made_by="distill").iterdir()),
        Store.open(options.store),
        settings,
        Candidates(**{name: values for name, values in given.items() if values}),
        sensor=options.sensor,
        device=choose_device(parameters.device, "evaluate.device"),
    )
    print(table.to_json(orient="records") if options.json else as_text(table))


def _score(options: argparse.Namespace) -> None:
    from components.lib.metrics.spacenet_f1 import score_csv, solaris_numbers  # noqa: PLC0415

    # A doubt is a part of the answer: no log level hides it.
    counts = score_csv(
        options.truth,
        options.proposals,
        options.min_area,
        options.iou,
        tell=lambda doubt: print(f"warning: {doubt}", file=sys.stderr),
    )
    values = solaris_numbers(counts)
    if options.json:
        print(json.dumps(values))
        return
    for name, value in values.items():
        print(f"{name:<10}{value:>10}" if isinstance(value, int) else f"{name:<10}{value:>10.4f}")


def _evaluate(_: argparse.Namespace) -> None:
    from components.evaluate.parameters import EvaluateParameters  # noqa: PLC0415
    from components.lib.config.loader import load_parameters  # noqa: PLC0415
    from components.lib.config.scoring import ScoringSettings  # noqa: PLC0415

    parameters = load_parameters("evaluate", EvaluateParameters)
    settings = load_parameters("scoring", ScoringSettings)
    from components.evaluate.stage import EvaluatePaths, evaluate  # noqa: PLC0415

    evaluate(parameters, settings, EvaluatePaths())


if __name__ == "__main__":
    run(main)
