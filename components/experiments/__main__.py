"""``python -m components.experiments``: train and score the grid of methods and seeds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components.experiments.session import PUBLISHED, Options, run_grid
from components.lib.cli import run


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run the grid."""
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments",
        description="Train every method of the grid with every seed on one world and one budget, score them "
        "on held-out ground, and write reports/evidence. A run that was killed goes on where it was; what "
        "changed code or parameters do not touch is kept.",
    )
    _add_arguments(parser)
    return run_grid(_options(parser.parse_args(arguments)))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    defaults = Options()
    parser.add_argument("--profile", default=defaults.profile, help="world and budget (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", help="seeds of the main rows (section evidence)")
    parser.add_argument("--ablation-seeds", type=int, nargs="+", help="seeds of the ablations, among --seeds")
    parser.add_argument(
        "--methods", nargs="+", metavar="ROW", help="only these rows of the grid, and what they start from"
    )
    parser.add_argument("--jobs", type=int, help="trainings at a time (section evidence)")
    parser.add_argument("--store", type=Path, help="a prepared store, instead of making the profile's world")
    parser.add_argument("--dry-run", action="store_true", help="say what would run and how long, and leave")
    parser.add_argument(
        "--allow-missing", action="store_true", help="write the evidence without the cells that failed"
    )
    parser.add_argument("--publish", action="store_true", help=f"copy the result to {PUBLISHED} as well")


def _options(arguments: argparse.Namespace) -> Options:

    def many(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
        return None if values is None else tuple(values)

    return Options(
        profile=arguments.profile,
        seeds=many(arguments.seeds),
        ablation_seeds=many(arguments.ablation_seeds),
        methods=many(arguments.methods),
        jobs=arguments.jobs,
        store=arguments.store,
        dry_run=arguments.dry_run,
        allow_missing=arguments.allow_missing,
        publish=arguments.publish,
    )


if __name__ == "__main__":
    run(main)
