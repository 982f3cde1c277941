"""Operating characteristics of the gate's statistics (``python -m components.experiments.coverage``).

On the given tile positions, with simulated fields of agreement: how often intervals cover the expected value,
how often a challenger of an equal recipe is promoted, what many of them cost together, and what gain is
found. Written as ``coverage.json`` and ``coverage.png``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.experiments.agreement import (
    Fields,
    Ground,
    Place,
    Rates,
    building_sums,
    buildings,
    expected_counts,
    ground_of,
    pixel_sums,
    rates,
)
from components.lib.cli import run
from components.lib.config.loader import load_section
from components.lib.config.scoring import ScoringSettings
from components.lib.datasets.spacenet6 import CAPELLA_AIRBORNE
from components.lib.files import require_input, write_json
from components.lib.metrics.blocksums import STATISTICS, Floats, jackknife
from components.lib.metrics.blockvariance import block_variance
from components.lib.metrics.intervals import Estimates, Interval, detectable_difference
from components.lib.registry.budget import level_of

CONFIDENCE = 0.95
RANGES_M = (150.0, 300.0, 450.0)
"""Ranges of correlation, metres; districts measure 300."""
MEASURED_M = 300.0
CHUNK = 100
"""Draws at a time, for the memory's sake."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Study:
    """Ground, world and rule of a study.

    Attributes:
        ground: Tiles, cells and blocks.
        fields: Fields of the range in question.
        spread: Standard deviation of IoU between trainings of one recipe.
        budget: Error budget of a champion line.
        seed: Draws everything.
    """

    ground: Ground
    fields: Fields
    spread: float
    budget: float
    seed: int

    def generator(self, purpose: int) -> np.random.Generator:
        """Return random numbers of their own for a purpose."""
        return np.random.default_rng([self.seed, purpose])


def coverage(study: Study, draws: int) -> list[Document]:
    """Return per statistic how often the two-sided interval covers and the one-sided bound errs.

    The expected values are those of ever more ground: IoU and F1 of one model, and 0 for the difference of
    two models with equal rates of error.
    """
    rng, found = study.generator(1), _Tally()
    truth = {name: float(STATISTICS[name](expected_counts())[0]) for name in ("iou", "f1")}
    for count in _chunks(draws):
        place = Place.drawn(study.fields, rng, count)
        standing = buildings(place, rng)
        models = [rates(place, _own(study, rng, count)) for _ in range(2)]
        tables = {
            "iou": [pixel_sums(study.ground, model) for model in models],
            "f1": [building_sums(study.ground, model, standing, rng) for model in models],
        }
        for metric, pair in tables.items():
            for k in range(count):
                both = _estimates(study.ground, metric, [{n: v[:, k] for n, v in t.items()} for t in pair])
                found.add(metric, both.combined([1.0, 0.0], CONFIDENCE), truth[metric])
                found.add(f"{metric} difference", both.combined([1.0, -1.0], CONFIDENCE), 0.0)
    return found.rows()


class _Tally:
    def __init__(self) -> None:
        self._seen: dict[str, list[tuple[bool, bool, float, float]]] = {}

    def add(self, name: str, interval: Interval, truth: float) -> None:
        self._seen.setdefault(name, []).append(
            (
                interval.low <= truth <= interval.high,
                interval.lower_bound > truth,
                interval.standard_error,
                interval.value,
            )
        )

    def rows(self) -> list[Document]:
        made = []
        for name, seen in self._seen.items():
            covered, errs, errors, values = (np.array(column) for column in zip(*seen, strict=True))
            made.append(
                {
                    "statistic": name,
                    "covered": round(float(covered.mean()), 4),
                    "bound_errs": round(float(errs.mean()), 4),
                    "standard_error": round(float(np.sqrt((errors**2).mean())), 5),
                    "deviation": round(float(values.std()), 5),
                    "draws": len(seen),
                }
            )
        return made


def null_rate(study: Study, draws: int) -> Document:
    """Return how often a retraining of an equal recipe passes the test of the gain at 5 %.

    Each draw is another ground, another champion and another challenger. ``without_training_noise`` is the
    same test with the variance over ground alone.
    """
    gains = _gains(study, draws, gain=0.0, purpose=2)
    plain = [gain for gain, _ in gains]
    wide = [noisy for _, noisy in gains]
    level = 1.0 - CONFIDENCE
    return {
        "draws": draws,
        "level": round(level, 4),
        "promoted": round(float(np.mean([g.lower_at(level) > 0.0 for g in wide])), 4),
        "without_training_noise": round(float(np.mean([g.lower_at(level) > 0.0 for g in plain])), 4),
        "standard_error": round(float(np.mean([g.standard_error for g in wide])), 5),
        "freedom": round(wide[0].freedom, 2),
    }


def power(study: Study, draws: int, numbers: Sequence[int] = (1, 2, 5, 10)) -> list[Document]:
    """Return per number of the challenger the gain that is found with 80 % power, and how often it was."""
    typical = [noisy for _, noisy in _gains(study, draws, gain=0.0, purpose=3)]
    error, freedom = float(np.mean([g.standard_error for g in typical])), typical[0].freedom
    rows = []
    for number in numbers:
        level = level_of(study.budget, number)
        gain = detectable_difference(error, freedom, level=level, power=0.8)
        tried = [noisy for _, noisy in _gains(study, draws, gain=gain, purpose=100 + number)]
        rows.append(
            {
                "number": number,
                "level": round(level, 5),
                "gain": round(gain, 4),
                "found": round(float(np.mean([g.lower_at(level) > 0.0 for g in tried])), 4),
            }
        )
    return rows


def champion_lines(study: Study, lines: int, challengers: int) -> Document:
    """Return how many champion lines promote a challenger of an equal recipe, by number of challengers.

    A line has one test ground and one champion; every challenger is another training of the same recipe.
    ``fixed_level`` tests each of them at 5 %.
    """
    rng = study.generator(4)
    first = {"spent": np.full(lines, challengers + 1), "fixed": np.full(lines, challengers + 1)}
    for line in range(lines):
        one = Place.drawn(study.fields, rng, 1)
        champion = pixel_sums(study.ground, _trained(study, one, rng, 1))
        done = 0
        for count in _chunks(challengers):
            place = Place(*(np.repeat(f, count, axis=1) for f in (one.share, one.misses, one.false)))
            many = pixel_sums(study.ground, _trained(study, place, rng, count))
            for k in range(count):
                pair = [{n: v[:, k] for n, v in many.items()}, {n: v[:, 0] for n, v in champion.items()}]
                gain = _estimates(study.ground, "iou", pair).combined([1.0, -1.0], CONFIDENCE)
                wide, number = gain.with_variance(2.0 * study.spread**2), done + k + 1
                if wide.lower_at(level_of(study.budget, number)) > 0.0:
                    first["spent"][line] = min(first["spent"][line], number)
                if wide.lower_at(1.0 - CONFIDENCE) > 0.0:
                    first["fixed"][line] = min(first["fixed"][line], number)
            done += count
    upto = np.arange(1, challengers + 1)
    shares = {name: [round(float((at <= n).mean()), 4) for n in upto] for name, at in first.items()}
    return {
        "lines": lines,
        "challengers": challengers,
        "budget": study.budget,
        "promoted": shares["spent"],
        "fixed_level": shares["fixed"],
    }


def _gains(study: Study, draws: int, *, gain: float, purpose: int) -> list[tuple[Interval, Interval]]:
    """Return gains of challengers over champions, without and with training noise in the variance."""
    rng, made = study.generator(purpose), []
    for count in _chunks(draws):
        place = Place.drawn(study.fields, rng, count)
        trained = (_trained(study, place, rng, count, gain=better) for better in (gain, 0.0))
        pair = [pixel_sums(study.ground, model) for model in trained]
        for k in range(count):
            both = _estimates(study.ground, "iou", [{n: v[:, k] for n, v in t.items()} for t in pair])
            found = both.combined([1.0, -1.0], CONFIDENCE)
            made.append((found, found.with_variance(2.0 * study.spread**2)))
    return made


def _trained(study: Study, place: Place, rng: np.random.Generator, count: int, *, gain: float = 0.0) -> Rates:
    """Return the rates of trainings whose expected IoU scatters by the spread around a gain."""
    wanted = gain + study.spread * rng.normal(size=count)
    return rates(place, _own(study, rng, count), shift=np.interp(wanted, *_gain_by_shift()))


@lru_cache(maxsize=1)
def _gain_by_shift() -> tuple[Floats, Floats]:
    """Return gains in expected IoU, ascending, and the shifts of the log-odds that give them."""
    shifts = np.linspace(1.0, -1.0, 17)
    values = np.array([float(STATISTICS["iou"](expected_counts(shift))[0]) for shift in shifts])
    return values - values[len(values) // 2], shifts


def _own(study: Study, rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    return study.fields.draw(rng, count), study.fields.draw(rng, count)


def _estimates(ground: Ground, metric: str, models: Sequence[dict[str, Floats]]) -> Estimates:
    """Return the models' scores and deviations, from counts by block (blocks,)."""
    statistic = STATISTICS[metric]
    counted = [sums[name] for sums in models for name in statistic.counted]
    sizes: Floats = np.sum(counted, axis=0) / len(models)
    filled = sizes > 0
    found = [jackknife(statistic, sums) for sums in models]
    return Estimates(
        values=np.array([float(value) for value, _ in found]),
        deviations=np.array([value - left for value, left in found])[:, filled],
        variance=block_variance(ground.positions[filled], sizes[filled]),
        locations=int(filled.sum()),
    )


def _chunks(draws: int) -> list[int]:
    return [min(CHUNK, draws - start) for start in range(0, draws, CHUNK)]


def study_all(tiles: pd.DataFrame, options: argparse.Namespace) -> Document:
    """Return every characteristic, on these tile positions."""
    ground = ground_of(tiles, options.block_m, gsd_m=CAPELLA_AIRBORNE.gsd_m, side_px=options.side_px)

    def at(range_m: float) -> Study:
        return Study(
            ground,
            Fields(ground.shape, range_m),
            spread=options.spread,
            budget=options.budget,
            seed=options.seed,
        )

    measured = at(MEASURED_M)
    return {
        "simulated": True,
        "tiles": len(tiles),
        "block_m": options.block_m,
        "blocks": len(ground.positions),
        "spread": options.spread,
        "coverage": [
            {"range_m": range_m, **row}
            for range_m in RANGES_M
            for row in coverage(at(range_m), options.draws)
        ],
        "null": null_rate(measured, options.draws),
        "lines": champion_lines(measured, options.lines, options.challengers),
        "power": power(measured, options.draws),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the characteristics, and write them with their picture."""
    options = _parser().parse_args(arguments)
    tiles = pd.read_csv(require_input(options.tiles, made_by="download"))
    if "clean_valid" in tiles:
        tiles = tiles[tiles["clean_valid"] == 1]
    document = study_all(tiles, options)
    from components.experiments.coverage_picture import picture  # noqa: PLC0415 - tests draw nothing

    write_json(options.out / "coverage.json", document)
    picture(document, options.out / "coverage.png")
    sys.stdout.write("\n".join(lines_of(document)) + "\n")


def lines_of(document: Document) -> list[str]:
    """Return the characteristics in words."""
    told = [
        f"simulated fields on {document['tiles']} tile positions, {document['blocks']} blocks of "
        f"{document['block_m']:g} m",
        "range  statistic         covered  bound errs  (95 % and 5 % are meant)",
    ]
    told += [
        f"{row['range_m']:>4.0f} m  {row['statistic']:<17} {row['covered']:>6.1%}  {row['bound_errs']:>8.1%}"
        for row in document["coverage"]
    ]
    null, lines = document["null"], document["lines"]
    told.append(
        f"equal recipes promoted at 5 %: {null['promoted']:.1%}; with no training noise in the variance: "
        f"{null['without_training_noise']:.1%}"
    )
    for count in sorted({min(10, lines["challengers"]), lines["challengers"]}):
        told.append(
            f"lines of {count} equal challengers with a promotion: {lines['promoted'][count - 1]:.1%} "
            f"(budget {lines['budget']:.0%}); each at 5 %: {lines['fixed_level'][count - 1]:.1%}"
        )
    told += [
        f"challenger {row['number']}: a gain of {row['gain']:.3f} is found with 80 % power (was: "
        f"{row['found']:.0%})"
        for row in document["power"]
    ]
    return told


def _parser() -> argparse.ArgumentParser:
    promote: Document = load_section("promote")
    spread = promote["training_spread"]["iou"]
    block_m = ScoringSettings().block_m
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.coverage",
        description="Simulate on real tile positions how the gate's intervals and tests behave.",
    )
    parser.add_argument("--tiles", type=Path, required=True, help="CSV: x_left_m, y_top_m, clean_valid")
    parser.add_argument("--out", type=Path, default=Path("reports/coverage"), help="(%(default)s)")
    parser.add_argument("--side-px", type=int, default=900, help="side of a tile, pixels (%(default)s)")
    parser.add_argument("--block-m", type=float, default=block_m, help="metres (%(default)s)")
    parser.add_argument("--spread", type=float, default=spread, help="of IoU (%(default)s)")
    parser.add_argument("--budget", type=float, default=promote["error_budget"], help="(%(default)s)")
    parser.add_argument("--draws", type=int, default=4000, help="grounds per figure (%(default)s)")
    parser.add_argument("--lines", type=int, default=400, help="champion lines (%(default)s)")
    parser.add_argument("--challengers", type=int, default=200, help="per line (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    return parser


if __name__ == "__main__":
    run(main)
