"""Comparison of rows over seeds: trials under a bar, their results, cells of tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from components.contract.documents import nearest
from components.contract.errors import ParameterError, StormsightError
from components.experiments.identity import Stamp
from components.experiments.processes import StageProcesses
from components.experiments.schedule import run_with_bar
from components.lib.files import write_json, write_text

LOG = logging.getLogger(__name__)


class ComparisonIncompleteError(StormsightError):
    """Some trials failed; the table holds the others."""


class NamedRow(Protocol):
    """Row of a table."""

    @property
    def name(self) -> str:
        """Name in files and on the command line."""
        ...


class Trial(Protocol):
    """Row with a seed. As text it names both."""

    log: Path
    """Output of its stages."""

    @property
    def row(self) -> NamedRow:
        """Its row."""
        ...

    def finish(self) -> object:
        """Train and score, as far as that is not done."""
        ...

    def finished(self) -> Stamp | None:
        """Return its stamp with training and scores, if nothing they depend on has changed since."""
        ...


R = TypeVar("R", bound=NamedRow)


def rows_by_name(names: Iterable[str] | None, rows: Sequence[R]) -> list[R]:
    """Return the rows of these names in the table's order; None is all.

    Raises:
        ParameterError: If there is no such row, naming the nearest.
    """
    if names is None:
        return list(rows)
    wanted, known = set(names), [row.name for row in rows]
    for name in sorted(wanted - set(known)):
        raise ParameterError(
            f"--rows: no row {name!r}{nearest(name, known, cutoff=0.0)}",
            next_step=f"use some of {', '.join(known)}",
        )
    return [row for row in rows if row.name in wanted]


def run_trials(
    trials: Sequence[Trial],
    processes: StageProcesses,
    report: Callable[[], None],
    *,
    jobs: int,
    title: str,
) -> None:
    """Train and score all trials, and write the results of those that finished.

    Args:
        trials: Trials in the order of preference.
        processes: Runs their stages; ended in any case.
        report: Writes the results, once all trials have ended.
        jobs: Trainings at a time.
        title: Title of the progress bar.

    Raises:
        ComparisonIncompleteError: If a trial failed; those that finished are in the results.
    """
    try:
        ended = run_with_bar(trials, {}, _finish, jobs=jobs, title=title)
    finally:
        processes.stop()
    report()
    if ended.failed:
        raise ComparisonIncompleteError(
            f"{len(ended.failed)} trials failed: " + "; ".join(f"{t} (log: {t.log})" for t in ended.failed),
            next_step="read the logs, mend the cause and run the command again: finished trials are kept",
        )


def finished_trials(rows: Sequence[NamedRow], trials: Sequence[Trial]) -> dict[str, list[Stamp]]:
    """Return the stamps of finished trials by row, in the order of the seeds."""
    return {
        row.name: [stamp for t in trials if t.row is row and (stamp := t.finished()) is not None]
        for row in rows
    }


def write_comparison(
    folder: Path, document: Mapping[str, Any], markdown: Callable[[Mapping[str, Any]], str]
) -> None:
    """Write ``comparison.json`` and, drawn from it, ``comparison.md``."""
    write_json(folder / "comparison.json", document)
    write_text(folder / "comparison.md", markdown(document))
    LOG.info("comparison: %s", folder / "comparison.md")


def is_shown(interval: Mapping[str, Any], *, exceeds_seeds: bool) -> bool:
    """Return True if a difference exceeds the spread of the seeds and its interval leaves out 0.

    Args:
        interval: Interval of the difference over scenes or ground, as JSON.
        exceeds_seeds: Whether it exceeds twice the spread of the seeds.
    """
    return exceeds_seeds and not interval["degenerate"] and not interval["low"] <= 0.0 <= interval["high"]


def score_cell(by_seed: Sequence[float], interval: Mapping[str, Any] | None) -> str:
    """Return a score for a table: mean, lowest and highest seed, and the interval where there is one."""
    text = f"{sum(by_seed) / len(by_seed):.3f} [{min(by_seed):.3f}, {max(by_seed):.3f}]"
    if interval is None or interval["degenerate"]:
        return text
    return f"{text}; {interval['low']:.3f} to {interval['high']:.3f}"


def difference_cell(interval: Mapping[str, Any]) -> str:
    """Return the interval of a difference for a table."""
    return "unknown" if interval["degenerate"] else f"{interval['low']:+.3f} to {interval['high']:+.3f}"


def _finish(trial: Trial) -> None:
    trial.finish()
    LOG.info("%s: trained and scored", trial)
