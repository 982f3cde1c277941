"""``python -m components.experiments.drift``: false alarms and power of the drift test."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.contract.errors import ParameterError
from components.experiments.drift.drawing import Tables, jobs
from components.experiments.drift.study import REFERENCE, Study, study_all
from components.experiments.drift.world import Scale
from components.lib.cli import run
from components.lib.files import write_json, write_text


def main(arguments: list[str] | None = None) -> None:
    """Draw what is missing, then compare all that is there and write the results."""
    options = _parser().parse_args(arguments)
    if options.nulls < max(options.repeats, REFERENCE + 1):
        raise ParameterError(
            f"{options.nulls} null acquisitions and {options.repeats} repetitions do not go together",
            next_step=f"give {REFERENCE + 1} --nulls or more, and no more --repeats",
        )
    scale = Scale(seed=options.seed, tiles=options.tiles, tile_px=options.tile_px)
    tables = Tables(options.work, scale)
    tables.check()
    if not options.no_drawing:
        tables.draw(list(jobs(options.nulls, options.repeats)), options.repeats)
    study = Study.of(tables, options.nulls, options.repeats, options.permutations, options.seed)
    if len(study.nulls) <= REFERENCE:
        raise ParameterError(
            f"{len(study.nulls)} null acquisitions are drawn: too few for a reference of {REFERENCE}",
            next_step="run the command without --no-drawing; it goes on where it was",
        )
    from components.experiments.drift.table import markdown, picture  # noqa: PLC0415 - Matplotlib is slow

    document = study_all(study)
    write_json(options.out / "drift.json", document)
    write_text(options.out / "drift.md", markdown(document))
    picture(document, options.out / "drift.png")
    print(markdown(document), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.drift",
        description="Measure false alarms and power of the drift test on simulated acquisitions. What was "
        "drawn is kept: a command that was stopped goes on where it was.",
    )
    scale = Scale()
    parser.add_argument("--nulls", type=int, default=220, help="acquisitions without drift (%(default)s)")
    parser.add_argument("--repeats", type=int, default=40, help="acquisitions of each shift (%(default)s)")
    parser.add_argument("--permutations", type=int, default=999, help="of each test (%(default)s)")
    parser.add_argument("--tiles", type=int, default=scale.tiles, help="of each area (%(default)s)")
    parser.add_argument("--tile-px", type=int, default=scale.tile_px, help="side of a tile (%(default)s)")
    parser.add_argument("--seed", type=int, default=scale.seed, help="of city and references (%(default)s)")
    parser.add_argument(
        "--work", type=Path, default=Path("var/drift_experiment"), help="drawn acquisitions (%(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reports/drift_experiment"), help="results (%(default)s)"
    )
    parser.add_argument("--no-drawing", action="store_true", help="compare what is drawn so far")
    return parser


if __name__ == "__main__":
    run(main)
