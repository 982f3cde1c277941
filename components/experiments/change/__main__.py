"""``python -m components.experiments.change``: train and score change networks on equal pairs and budgets."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.identity import ROOT
from components.contract.parameters import PARAMS_FILE
from components.experiments.change.rows import ROWS, Row
from components.experiments.change.trial import CONFIDENCE, REPORTS, VAR, ChangeTrial, PairData, Workshop
from components.experiments.comparison import (
    finished_trials,
    rows_by_name,
    run_trials,
    write_comparison,
)
from components.experiments.identity import StageGraph
from components.experiments.parameters import ParameterOverlay
from components.experiments.processes import StageProcesses, run_lock
from components.experiments.schedule import check_trials
from components.experiments.world import store_hash
from components.lib.cli import run
from components.lib.files import require_input


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the command line.

    Attributes:
        profile: Schedule, crops and data set of every training.
        rows: Rows of the table; None is all.
        seeds: Seeds of every row.
        jobs: Trainings at a time; each has ``training.threads`` threads.
        pairs: Store of pairs; None is ``data/pairs/<change.data_set>``.
        folder: Folder of the trials.
        out: Folder of the results.
        params: Parameter file.
    """

    profile: str = "change"
    rows: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (17, 18, 19)
    jobs: int = 1
    pairs: Path | None = None
    folder: Path = VAR
    out: Path = REPORTS
    params: Path = PARAMS_FILE

    def __post_init__(self) -> None:
        check_trials(self.seeds, self.jobs)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run the comparison."""
    defaults = Options()
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.change",
        description="Train change networks of all sizes, their controls, ablations and kinds of images with "
        "every seed on the same pairs, score them on the test pairs, and write "
        f"{REPORTS}/comparison.md. A run that was killed goes on where it was. Needs data/pairs/<data set> "
        "(python -m components.pairs).",
    )
    parser.add_argument("--profile", default=defaults.profile, help="schedule, crops, data set (%(default)s)")
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="only these rows of the table")
    parser.add_argument(
        "--seeds", type=int, nargs="+", metavar="SEED", default=defaults.seeds, help="seeds (17 18 19)"
    )
    parser.add_argument("--jobs", type=int, default=defaults.jobs, help="trainings at a time (%(default)s)")
    parser.add_argument("--pairs", type=Path, help="store of pairs (data/pairs/<change.data_set>)")
    given = parser.parse_args(arguments)
    rows = None if given.rows is None else tuple(given.rows)
    return compare(
        Options(
            profile=given.profile, rows=rows, seeds=tuple(given.seeds), jobs=given.jobs, pairs=given.pairs
        )
    )


def compare(options: Options) -> int:
    """Train and score all trials, then write the results.

    Returns:
        Exit code 0.

    Raises:
        ComparisonIncompleteError: If a trial failed; those that finished are in the results.
        ParameterError: If a row or a parameter is wrong.
        MissingInputError: If there is no store of pairs.
    """
    rows = rows_by_name(options.rows, ROWS)
    with run_lock(options.folder):
        workshop = _workshop(options)
        trials = [ChangeTrial(workshop, row, seed) for seed in options.seeds for row in rows]
        run_trials(
            trials,
            workshop.processes,
            lambda: _report(rows, trials, options),
            jobs=options.jobs,
            title="change networks",
        )
    return 0


def _workshop(options: Options) -> Workshop:
    parameters = ParameterOverlay(options.params, options.profile)
    data_set = str(parameters.sections(["change"])["change"]["data_set"])
    store = require_input(options.pairs or Path("data/pairs") / data_set, made_by=f"pairs@{data_set}")
    return Workshop(
        folder=options.folder,
        parameters=parameters,
        graph=StageGraph(ROOT),
        processes=StageProcesses(),
        pairs=PairData(
            folder=store, data_set=data_set, sha256=store_hash(store, options.folder / "pairs.json")
        ),
    )


def _report(rows: Sequence[Row], trials: Sequence[ChangeTrial], options: Options) -> None:
    """Write the results of all finished trials; nothing where none is."""
    # Heavy imports stay out of --help.
    from components.experiments.change.results import results_of  # noqa: PLC0415
    from components.experiments.change.table import markdown  # noqa: PLC0415

    finished = finished_trials(rows, trials)
    if any(finished.values()):
        document = {"profile": options.profile, **results_of(rows, finished, CONFIDENCE)}
        write_comparison(options.out, document, markdown)


if __name__ == "__main__":
    run(main)
