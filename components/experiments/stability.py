"""Spread of repeated trainings of one recipe: what rounding, the number of threads and the seed move.

``python -m components.experiments.stability`` trains control and student again and again on one world, with
nothing changed but a millionth of the initial weights, the number of threads, or the seed. A difference
between two methods, or two models, that is smaller than what these repetitions differ by is none.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev
from typing import Any

import pandas as pd

from components.contract.errors import ParameterError
from components.contract.parameters import merged
from components.experiments.grid import GRID, OURS, Overrides, Variant, by_name, chosen
from components.experiments.processes import run_lock
from components.experiments.results import ScoredTrial
from components.experiments.session import PUBLISHED, SPREAD, VAR, Options, Session
from components.lib.cli import run
from components.lib.files import read_json, write_json
from components.lib.metrics.counts import Counts

LOG = logging.getLogger(__name__)
REPORTS = Path("reports/stability")
NETWORKS: Mapping[str, str] = {"control": "control", "student": OURS}
"""Rows of the grid whose trainings are repeated, by their name in ``stability``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetitions:
    """Repetitions of every network's training.

    Attributes:
        draws: Trainings of one seed that differ by a perturbation; the unperturbed one is among them.
        threads: Numbers of threads; the first is that of all other trainings.
        seeds: Seeds; perturbations and threads are tried with the first.
    """

    draws: int = 5
    threads: tuple[int, ...] = (1, 2)
    seeds: tuple[int, ...] = (17, 18, 19)


def stability_grid(repetitions: Repetitions, grid: Sequence[Variant] = GRID) -> tuple[Variant, ...]:
    """Return the rows to train: what the networks start from, they themselves, and their repetitions.

    Args:
        repetitions: Number and kind.
        grid: Rows to take the networks from.
    """
    rows = by_name(grid)
    changes: dict[str, Overrides] = {
        **{f"perturbed_{draw}": {"perturbation": draw} for draw in range(1, repetitions.draws)},
        **{f"threads_{threads}": {"threads": threads} for threads in repetitions.threads[1:]},
    }
    repeated = [
        _repeated(rows[name], suffix, change)
        for name in NETWORKS.values()
        for suffix, change in changes.items()
    ]
    common = {"training": {"threads": repetitions.threads[0]}}
    return tuple(
        replace(row, overrides=merged(common, row.overrides))
        for row in (*chosen(NETWORKS.values(), grid), *repeated)
    )


def _repeated(row: Variant, suffix: str, training: Overrides) -> Variant:
    """Return a row that differs from ``row`` by parameters of training, for the first seed alone."""
    return replace(
        row,
        name=f"{row.name}_{suffix}",
        label=f"{row.label}, {suffix.replace('_', ' ')}",
        group="ablation",
        overrides=merged(row.overrides, {"training": training}),
        compared_with=row.name,
    )


def spread_document(scored: Sequence[ScoredTrial], repetitions: Repetitions) -> dict[str, Any]:
    """Return standard deviations of scores (0 to 1) on clean test tiles, and every pixel IoU behind them.

    Args:
        scored: The scored trainings.
        repetitions: Number and kind of the repetitions.

    Returns:
        ``control_spread_iou``, ``student_spread_iou`` and the same of building F1 over all trainings of a
        network; ``threads_spread_iou``, the larger of the networks' over thread counts; ``draws``; and under
        the networks' names the spreads of IoU by cause with their values.
    """
    pixels = {(t.method.name, t.seed): _score(t, Counts.of_pixels).iou for t in scored}
    buildings = {(t.method.name, t.seed): _score(t, Counts.of_buildings).f1 for t in scored}
    networks = {key: _causes(pixels, name, repetitions) for key, name in NETWORKS.items()}
    f1 = {key: _causes(buildings, name, repetitions)["all"] for key, name in NETWORKS.items()}
    return {
        **{f"{key}_spread_iou": _spread(causes["all"]) for key, causes in networks.items()},
        **{f"{key}_spread_f1": _spread(values) for key, values in f1.items()},
        "threads_spread_iou": max(_spread(causes["threads"]) for causes in networks.values()),
        "draws": repetitions.draws,
        **{
            key: {
                cause: {"spread": _spread(found), "iou": [round(value, 5) for value in found]}
                for cause, found in causes.items()
                if len(found) > 1
            }
            for key, causes in networks.items()
        },
    }


def _causes(
    values: Mapping[tuple[str, int], float], name: str, repetitions: Repetitions
) -> dict[str, list[float]]:
    """Return the scores of a network's trainings by what was changed; each list begins with the plain one."""
    first = repetitions.seeds[0]
    plain = values[name, first]
    rounding = [values[f"{name}_perturbed_{draw}", first] for draw in range(1, repetitions.draws)]
    threads = [values[f"{name}_threads_{count}", first] for count in repetitions.threads[1:]]
    seeds = [values[name, seed] for seed in repetitions.seeds[1:]]
    return {
        "rounding": [plain, *rounding],
        "threads": [plain, *threads],
        "seeds": [plain, *seeds],
        "all": [plain, *rounding, *threads, *seeds],
    }


def _score(trial: ScoredTrial, count: Callable[[pd.DataFrame], Counts]) -> Counts:
    """Return the counts of a trial on its clean test tiles; on all where none is clean."""
    clean = trial.tiles[trial.tiles["clean"]]
    return count(clean if len(clean) else trial.tiles)


def _spread(values: Sequence[float]) -> float:
    """Return the sample standard deviation of two values or more, rounded."""
    return round(stdev(values), 5)


def publish(document: Mapping[str, Any], folder: Path = PUBLISHED) -> None:
    """Write the spread into the published ``evidence.json``, whose other entries stay."""
    path = folder / "evidence.json"
    evidence = read_json(path, made_by="evidence") if path.exists() else {}
    write_json(path, {**evidence, SPREAD: dict(document)})


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, train the repetitions, write ``reports/stability``."""
    options = _parser().parse_args(arguments)
    if options.draws < 2 or len(options.threads) < 2:
        raise ParameterError(
            "--draws, --threads: a spread needs two trainings at least",
            next_step="give --draws 2 or more, and two numbers of threads",
        )
    repetitions = Repetitions(draws=options.draws, threads=tuple(options.threads), seeds=tuple(options.seeds))
    session = Session(
        Options(
            profile=options.profile,
            seeds=repetitions.seeds,
            ablation_seeds=repetitions.seeds[:1],
            jobs=options.jobs,
            store=options.store,
            folder=VAR / "stability" / options.profile,
            grid=stability_grid(repetitions),
        )
    )
    if options.dry_run:
        print(session.estimate().text())  # noqa: T201 - the output of --dry-run
        return 0
    with run_lock(session.folder):
        results = session.run()
        session.require_all(results)
        scored = session.scored(results.finished)
    document = {
        "profile": options.profile,
        "simulated": session.simulated(scored),
        **spread_document(scored, repetitions),
    }
    _report(document)
    if options.publish:
        publish(document)
    return 0


def _report(document: Mapping[str, Any]) -> None:
    from components.experiments.stability_plot import draw_stability  # noqa: PLC0415 - matplotlib

    write_json(REPORTS / "stability.json", dict(document))
    draw_stability(REPORTS / "stability.png", document)
    for network in NETWORKS:
        spreads = ", ".join(
            f"{cause} {100 * found['spread']:.2f}" for cause, found in document[network].items()
        )
        LOG.info("%s: standard deviation of IoU in points: %s", network, spreads)
    LOG.info("written: %s", REPORTS)


def _parser() -> argparse.ArgumentParser:
    defaults = Repetitions()
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.stability",
        description="Train control and student repeatedly and measure how far equal recipes differ. A run "
        "that was killed goes on where it was.",
    )
    parser.add_argument("--profile", default="rehearsal", help="world and budget (%(default)s)")
    parser.add_argument("--draws", type=int, default=defaults.draws, help="perturbed trainings (%(default)s)")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=defaults.threads, help="thread counts (1 2)"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=defaults.seeds, help="seeds (17 18 19)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time (%(default)s)")
    parser.add_argument("--store", type=Path, help="a prepared store, instead of making the profile's world")
    parser.add_argument("--dry-run", action="store_true", help="say what would run, and leave")
    parser.add_argument("--publish", action="store_true", help=f"enter the result in {PUBLISHED} as well")
    return parser


if __name__ == "__main__":
    run(main)
