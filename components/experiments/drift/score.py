"""``python -m components.experiments.drift.score``: error of the score that is estimated without labels.

A trained radar model maps simulated acquisitions, some as it was trained and some with the named shifts;
the pixel IoU expected from its calibrated probabilities is compared with the true one.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.contract.errors import ParameterError
from components.experiments.drift.shifts import NONE, SHIFTS, Case
from components.experiments.drift.world import Scale
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.config.scoring import ScoringSettings
from components.lib.files import write_json, write_text

if TYPE_CHECKING:
    from components.experiments.drift.kept import KeptAnswers
    from components.lib.drift.expected_score import BlockProbabilities

Document = dict[str, Any]

CASES: tuple[Case, ...] = (NONE, *((shift.name, size) for shift in SHIFTS for size in shift.sizes))

ESTIMATORS = ("expected", "thresholded", "calibration")
"""Estimates whose error is measured; the last is no estimate, but the score on the calibration's tiles."""


def main(arguments: list[str] | None = None) -> None:
    """Estimate and measure what is missing, then write the results of all acquisitions."""
    options = _parser().parse_args(arguments)
    if not 1 <= options.repeats <= options.nulls:
        raise ParameterError(
            f"{options.repeats} acquisitions with shifts and {options.nulls} in all do not go together",
            next_step="give as many --nulls as --repeats, or more",
        )
    settings = load_parameters("scoring", ScoringSettings)
    from components.experiments.drift.answers import Mapper  # noqa: PLC0415 - torch is slow to import
    from components.experiments.drift.kept import KeptAnswers  # noqa: PLC0415
    from components.experiments.drift.score_table import markdown, picture  # noqa: PLC0415
    from components.lib.nets.bundle import load_bundle  # noqa: PLC0415
    from components.lib.store.store import Store  # noqa: PLC0415

    mapper = Mapper(load_bundle(options.model, modality="sar", task="buildings"), settings)
    scale = Scale(seed=options.seed, tiles=options.tiles, tile_px=options.tile_px)
    kept = KeptAnswers(options.work, mapper, scale)
    kept.check()
    reference = kept.reference(Store.open(options.store))
    if not options.no_drawing:
        kept.draw(options.nulls, options.repeats)
    rows = measured(kept, reference, options.nulls)
    if not rows:
        raise ParameterError(
            f"{options.work} holds no acquisition", next_step="run the command without --no-drawing"
        )
    document = {
        "simulated": True,
        "model": options.model.name,
        "calibration_blocks": len(reference.blocks),
        "scale": asdict(scale),
        "acquisitions": rows,
        **summary(rows),
    }
    write_json(options.out / "score.json", document)
    write_text(options.out / "score.md", markdown(document))
    picture(document, options.out / "score.png")
    sys.stdout.write(markdown(document))


def measured(kept: KeptAnswers, reference: BlockProbabilities, nulls: int) -> list[Document]:
    """Return estimated and true pixel IoU of the acquisitions and shifts that are there.

    Args:
        kept: The model's probabilities on the acquisitions.
        reference: Its probabilities on labelled tiles, for the calibration.
        nulls: Acquisitions, of the first numbers.
    """
    from components.lib.drift.expected_score import estimate_score  # noqa: PLC0415 - SciPy is slow to import

    rows = list[Document]()
    threshold = kept.mapper.settings.threshold_of(kept.mapper.net.config.threshold)
    for number in range(nulls):
        for case in CASES:
            tiles = kept.read(number, case)
            if tiles is None:
                continue
            found = estimate_score(reference, tiles, threshold)["iou"]
            interval = found.expected
            rows.append(
                {
                    "shift": case[0],
                    "size": case[1],
                    "acquisition": number,
                    "blocks": len(tiles.blocks),
                    "expected": interval.value,
                    "low": None if interval.degenerate else interval.low,
                    "high": None if interval.degenerate else interval.high,
                    "thresholded": found.thresholded,
                    "calibration": found.reference,
                    "true": found.true,
                }
            )
    return rows


def summary(rows: Sequence[Document]) -> Document:
    """Return the errors by shift and size, of all sizes of a shift, and of all acquisitions."""
    by_size = [
        {
            "shift": name,
            "size": size,
            **errors([row for row in rows if (row["shift"], row["size"]) == (name, size)]),
        }
        for name, size in CASES
    ]
    by_shift = [
        {"shift": name, **errors([row for row in rows if row["shift"] == name])}
        for name in (NONE[0], *(shift.name for shift in SHIFTS))
    ]
    return {"by_size": by_size, "by_shift": by_shift, "all": errors(rows)}


def errors(rows: Sequence[Document]) -> Document:
    """Return the errors of the estimates on some acquisitions.

    Returns:
        ``acquisitions``, ``true`` and ``expected`` (means), ``bias`` (mean of expected less true), ``mae`` by
        estimator (mean absolute error), ``correlation`` of expected and true (None of fewer than three), and
        ``covered`` of ``intervals``: acquisitions whose interval holds the true score.
    """
    if not rows:
        return {"acquisitions": 0}
    true = np.array([row["true"] for row in rows])
    found = {name: np.array([row[name] for row in rows]) for name in ESTIMATORS}
    ends = [(row["low"], row["true"], row["high"]) for row in rows if row["low"] is not None]
    varied = len(rows) > 2 and min(float(true.std()), float(found["expected"].std())) > 0
    return {
        "acquisitions": len(rows),
        "true": float(true.mean()),
        "expected": float(found["expected"].mean()),
        "bias": float((found["expected"] - true).mean()),
        "mae": {name: float(np.abs(values - true).mean()) for name, values in found.items()},
        "correlation": float(np.corrcoef(true, found["expected"])[0, 1]) if varied else None,
        "intervals": len(ends),
        "covered": sum(low <= value <= high for low, value, high in ends),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.drift.score",
        description="Measure the error of the score that is estimated without labels, on simulated "
        "acquisitions with and without shifts. What was measured is kept: a command that was stopped goes on "
        "where it was.",
    )
    scale = Scale()
    parser.add_argument("--model", type=Path, default=Path("models/sar/concord"), help="(%(default)s)")
    parser.add_argument(
        "--store",
        type=Path,
        default=Path("data/prepared"),
        help="store that it was trained from, whose selection slice calibrates (%(default)s)",
    )
    parser.add_argument("--nulls", type=int, default=8, help="acquisitions (%(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=2, help="the first of them get every shift, too (%(default)s)"
    )
    parser.add_argument("--tiles", type=int, default=scale.tiles, help="of each area (%(default)s)")
    parser.add_argument("--tile-px", type=int, default=scale.tile_px, help="side of a tile (%(default)s)")
    parser.add_argument("--seed", type=int, default=scale.seed, help="of the city (%(default)s)")
    parser.add_argument(
        "--work", type=Path, default=Path("var/score_experiment"), help="what was measured (%(default)s)"
    )
    parser.add_argument("--no-drawing", action="store_true", help="take what is measured so far")
    parser.add_argument(
        "--out", type=Path, default=Path("reports/drift_experiment"), help="results (%(default)s)"
    )
    return parser


if __name__ == "__main__":
    run(main)
