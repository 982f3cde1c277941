"""``python -m components.experiments.pretrain``: two-stage training by errors of its masks, equal steps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.identity import ROOT
from components.contract.parameters import PARAMS_FILE
from components.evaluate.parameters import EvaluateParameters
from components.experiments.comparison import (
    finished_trials,
    rows_by_name,
    run_trials,
    write_comparison,
)
from components.experiments.identity import StageGraph
from components.experiments.parameters import ParameterOverlay
from components.experiments.pretrain.masks import MaskMaker
from components.experiments.pretrain.rows import STARTS, Budget, Row, rows_of
from components.experiments.pretrain.trial import REPORTS, VAR, PretrainTrial, Workshop
from components.experiments.processes import StageProcesses, run_lock
from components.experiments.schedule import check_trials
from components.experiments.scoring import Scorer
from components.experiments.world import World, store_hash
from components.lib.cli import run
from components.lib.config.scoring import ScoringSettings
from components.lib.engine.inputs import labelled_rows, paired_rows, paired_sensor
from components.lib.engine.parameters import TrainingParameters
from components.lib.files import require_input
from components.lib.store.store import Store
from components.optical.parameters import OpticalParameters
from components.pretrain.parameters import PretrainParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of the command line.

    Attributes:
        profile: Schedule and crops of every training.
        rows: Beginnings that every kind is trained from; None is all.
        seeds: Seeds of every row.
        jobs: Trainings at a time; each has ``training.threads`` threads.
        kinds: Kinds of teacher, the one that others are compared with first.
        label_share: Share of the train tiles that have clean labels, the westernmost.
        clean_epochs: Passes over the clean labels after masks; None is ``optical.epochs``.
        store: Prepared store of the simulated city.
        folder: Folder of the trials.
        out: Folder of the results.
        params: Parameter file.
    """

    profile: str = "evidence"
    rows: tuple[str, ...] | None = None
    seeds: tuple[int, ...] = (17, 18, 19)
    jobs: int = 1
    kinds: tuple[str, ...] = ("deeplabv3plus",)
    label_share: float = 0.25
    clean_epochs: int | None = None
    store: Path = Path("data/prepared")
    folder: Path = VAR
    out: Path = REPORTS
    params: Path = PARAMS_FILE

    def __post_init__(self) -> None:
        check_trials(self.seeds, self.jobs)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run the comparison."""
    given = Options()
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.pretrain",
        description="Train optical teachers of buildings or roads on clean labels, and with equal steps "
        "first on masks of a simulated OpenStreetMap with no, light, measured and heavy errors, with "
        f"every seed; score them on the test tiles, and write {REPORTS}/comparison.md. A run that was "
        "killed goes on where it was. Needs a prepared store of the simulated world.",
    )
    parser.add_argument("--profile", default=given.profile, help="schedule and crops (%(default)s)")
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="only these rows of each kind")
    parser.add_argument("--seeds", type=int, nargs="+", default=given.seeds, help="seeds (%(default)s)")
    parser.add_argument("--jobs", type=int, default=given.jobs, help="trainings at a time (%(default)s)")
    parser.add_argument(
        "--kinds",
        nargs="+",
        default=given.kinds,
        help="kinds of teacher, compared with the first (%(default)s)",
    )
    parser.add_argument(
        "--label-share",
        type=float,
        default=given.label_share,
        help="train tiles with clean labels (%(default)s)",
    )
    parser.add_argument(
        "--clean-epochs", type=int, help="passes over the clean labels after masks (optical.epochs)"
    )
    parser.add_argument("--store", type=Path, default=given.store, help="prepared store (%(default)s)")
    parser.add_argument("--out", type=Path, default=given.out, help="folder of the tables (%(default)s)")
    found = vars(parser.parse_args(arguments))
    found |= {name: tuple(found[name]) for name in ("seeds", "kinds")}
    found["rows"] = None if found["rows"] is None else tuple(found["rows"])
    return compare(Options(**found))


def compare(options: Options) -> int:
    """Draw the masks, train and score all trials, then write the results.

    Returns:
        Exit code 0.

    Raises:
        ComparisonIncompleteError: If a trial failed; those that finished are in the results.
        ParameterError: If a row, the kind of teacher or a parameter is wrong.
        MissingInputError: If there is no store.
        BadDataError: If the store is not of the simulated city.
    """
    from components.lib.methods.registry import load_teacher  # noqa: PLC0415 - slow imports stay out of --help

    rows = rows_of(tuple(dict.fromkeys(options.kinds)), rows_by_name(options.rows, STARTS))
    for row in rows:
        load_teacher(row.kind)
    if not 0 < options.label_share <= 1:
        raise ParameterError("--label-share is a share", next_step="use a number above 0, up to 1")
    if options.clean_epochs is not None and options.clean_epochs < 1:
        raise ParameterError("--clean-epochs is a number of passes", next_step="use a number above 0")
    with run_lock(options.folder):
        workshop = _workshop(options, rows)
        trials = [PretrainTrial(workshop, row, seed) for seed in options.seeds for row in rows]
        run_trials(
            trials,
            workshop.processes,
            lambda: _report(rows, trials, options),
            jobs=options.jobs,
            title="pre-training",
        )
    return 0


def _workshop(options: Options, rows: Sequence[Row]) -> Workshop:
    parameters, graph, processes = (
        ParameterOverlay(options.params, options.profile), StageGraph(ROOT), StageProcesses(),
    )  # fmt: skip
    folder = require_input(options.store, made_by="split")
    world = World(folder, store_hash(folder, options.folder / "store.json"))
    store = Store.open(folder)
    maker = MaskMaker(
        folder=options.folder / "masks",
        parameters=parameters,
        graph=graph,
        processes=processes,
        world=world,
        task=store.task,
    )
    noises = dict.fromkeys(row.noise for row in rows if row.noise is not None)
    return Workshop(
        folder=options.folder / f"trials-{options.label_share:g}",
        parameters=parameters,
        graph=graph,
        processes=processes,
        world=world,
        scorer=Scorer(
            parameters=parameters.checked("evaluate", EvaluateParameters),
            settings=parameters.checked("scoring", ScoringSettings),
            target=None,
            graph=graph,
            threads=parameters.sections(["training"])["training"].get("threads"),
        ),
        masks=maker,
        masks_sha256={noise: maker.make(noise) for noise in noises},
        label_share=options.label_share,
        budget=_budget(parameters, store, options),
    )


def _budget(parameters: ParameterOverlay, store: Store, options: Options) -> Budget:
    training = parameters.checked("training", TrainingParameters)
    pretrain = parameters.checked("pretrain", PretrainParameters)
    optical = parameters.checked("optical", OpticalParameters)
    sensor = paired_sensor(store)
    tiles = len(paired_rows(store, sensor, "train"))
    labelled = len(labelled_rows(store, sensor, options.label_share))
    batch = optical.batch or training.batch
    return Budget.of(
        pretrain.steps(tiles, pretrain.batch or training.batch),
        options.clean_epochs or optical.epochs,
        optical.steps(labelled, batch) // optical.epochs,
    )


def _report(rows: Sequence[Row], trials: Sequence[PretrainTrial], options: Options) -> None:
    """Write the results of all finished trials; nothing where none is."""
    # Heavy imports stay out of --help.
    from components.experiments.pretrain.results import results_of  # noqa: PLC0415
    from components.experiments.pretrain.table import markdown  # noqa: PLC0415

    finished = finished_trials(rows, trials)
    if not any(finished.values()):
        return
    confidence = trials[0].workshop.scorer.parameters.confidence
    document = {
        "profile": options.profile,
        "label_share": options.label_share,
        **results_of(rows, finished, confidence, trials[0].workshop.masks.task),
    }
    write_comparison(options.out, document, markdown)


if __name__ == "__main__":
    run(main)
