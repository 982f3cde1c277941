"""Command line: decide on the promotion of a change model, or reproduce its scores.

History, rollback and approvals are those of all models: ``python -m components.promote``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Literal

from components.contract.parameters import PARAMS_FILE
from components.lib.cli import run
from components.lib.config.loader import Parameters, load_known, load_parameters
from components.promote.outcomes import require_promotion, tell_outcomes
from components.promote.parameters import PromoteParameters


class _PairsRules(Parameters):
    """Part of the section ``pairs`` that is read here; attribute as there."""

    leaks: Literal["error", "warn", "ignore"]


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(
        prog="python -m components.promote.change",
        description="Judge models/change/METHOD against the champion of stormsight-change and the control on "
        "the test pairs of its data set, promote it if it passes, write reports/promote_change/METHOD. A "
        "refusal is a result: exit 0.",
    )
    parser.set_defaults(command=_decide)
    parser.add_argument("--method", metavar="METHOD", help="change method of the challenger: sgsln, ...")
    parser.add_argument(
        "--fail-on-refusal",
        action="store_true",
        help="exit 77 if the challenger is refused (default: exit 0)",
    )
    commands = parser.add_subparsers(metavar="[reproduce]")
    again = commands.add_parser(
        "reproduce", help="score a model folder on the test pairs and print the digest of its scores"
    )
    again.add_argument("--folder", type=Path, required=True, help="weights.safetensors and model.json")
    again.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(%(default)s)")
    again.set_defaults(command=_reproduce)
    options = parser.parse_args(arguments)
    if options.command is _decide and options.method is None:
        parser.error("--method is needed: a change method whose model lies in models/change")
    options.command(options)


def _decide(options: argparse.Namespace) -> None:
    from components.lib.tracking.parameters import TrackingParameters  # noqa: PLC0415
    from components.promote.change.decide import ChangePromotion, decide_change  # noqa: PLC0415

    settings = ChangePromotion(
        method=options.method,
        parameters=load_parameters("promote", PromoteParameters),
        tracking=load_parameters("tracking", TrackingParameters),
        leaks_sought=load_known("pairs", _PairsRules, PARAMS_FILE).leaks != "ignore",
    )
    document = decide_change(settings)
    tell_outcomes(document)
    if options.fail_on_refusal:
        require_promotion(document, settings.out / options.method)


def _reproduce(options: argparse.Namespace) -> None:
    from components.promote.change.decide import STORES, open_ground  # noqa: PLC0415
    from components.promote.reproduce import score_digest  # noqa: PLC0415

    parameters = load_parameters("promote", PromoteParameters)
    ground = open_ground(options.folder, STORES, parameters, options.device)
    print(json.dumps(score_digest(options.folder, ground)))


if __name__ == "__main__":
    run(main)
