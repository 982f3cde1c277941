"""``python -m components.prepare``: write the training store."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.prepare.parameters import PrepareParameters
from components.prepare.pipeline import prepare


def main() -> None:
    """Read data/raw and data/validated, write data/prepared and its metrics below reports/prepare."""
    parser = argparse.ArgumentParser(
        prog="python -m components.prepare",
        description="Pair, align, rasterise, split by location, and write the training store.",
    )
    parser.add_argument(
        "--raw", type=Path, default=Path("data/raw"), help="shards and manifest (%(default)s)"
    )
    parser.add_argument(
        "--quarantine",
        type=Path,
        default=Path("data/validated/quarantine.csv"),
        help="tiles to leave out (%(default)s)",
    )
    parser.add_argument("--out", type=Path, default=Path("data/prepared"), help="the store (%(default)s)")
    parser.add_argument(
        "--metrics",
        type=Path,
        default=Path("reports/prepare/metrics.json"),
        help="counts and leaks (%(default)s)",
    )
    arguments = parser.parse_args()
    parameters = load_parameters("prepare", PrepareParameters)
    summary = prepare(arguments.raw, arguments.quarantine, arguments.out, arguments.metrics, parameters)
    logging.getLogger(__name__).info("prepared %d tiles in %s", summary["tiles"], arguments.out)


if __name__ == "__main__":
    run(main)
