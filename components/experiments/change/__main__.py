"""``python -m components.experiments.change``: train and score change networks on equal pairs and budgets."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import StormsightError
from components.contract.identity import ROOT
from components.contract.parameters import PARAMS_FILE
from components.experiments.change.rows import Row, chosen
from components.experiments.change.trial import CONFIDENCE, REPORTS, VAR, ChangeTrial, PairData, Workshop
from components.experiments.identity import StageGraph
from components.experiments.parameters import ParameterOverlay
from components.experiments.processes import StageProcesses, run_lock
from components.experiments.schedule import check_trials, run_with_bar
from components.experiments.world import store_hash
from components.lib.cli import run
from components.lib.files import require_input, write_json, write_text

LOG = logging.getLogger(__name__)


class ComparisonIncompleteError(StormsightError):
    """Some trials failed; the table holds the others."""


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
    rows = chosen(options.rows)
    with run_lock(options.folder):
        workshop = _workshop(options)
        trials = [ChangeTrial(workshop, row, seed) for seed in options.seeds for row in rows]
        try:
            ended = run_with_bar(trials, {}, _finish, jobs=options.jobs, title="change networks")
        finally:
            workshop.processes.stop()
    _report(rows, trials, options)
    if ended.failed:
        raise ComparisonIncompleteError(
            f"{len(ended.failed)} trials failed: " + "; ".join(f"{t} (log: {t.log})" for t in ended.failed),
            next_step="read the logs, mend the cause and run the command again: finished trials are kept",
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


def _finish(trial: ChangeTrial) -> None:
    trial.finish()
    LOG.info("%s: trained and scored", trial)


def _report(rows: Sequence[Row], trials: Sequence[ChangeTrial], options: Options) -> None:
    """Write the results of all finished trials; nothing where none is."""
    # Heavy imports stay out of --help.
    from components.experiments.change.results import results_of  # noqa: PLC0415
    from components.experiments.change.table import markdown  # noqa: PLC0415

    finished = {
        row.name: [stamp for t in trials if t.row is row and (stamp := t.finished()) is not None]
        for row in rows
    }
    if not any(finished.values()):
        return
    document = {"profile": options.profile, **results_of(rows, finished, CONFIDENCE)}
    write_json(options.out / "comparison.json", document)
    write_text(options.out / "comparison.md", markdown(document))
    LOG.info("comparison: %s", options.out / "comparison.md")


if __name__ == "__main__":
    run(main)
