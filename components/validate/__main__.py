"""``python -m components.validate``: per-tile features, quarantine, data docs and verdict."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.validate.parameters import ValidateParameters
from components.validate.stage import Folders, validate


def main() -> None:
    """Validate ``data/raw`` with the ``validate`` section of ``params.yaml``."""
    defaults = Folders()
    parser = argparse.ArgumentParser(
        prog="python -m components.validate",
        description="Compute features of every tile in data/raw, hold a suite of expectations per sensor "
        "against them, quarantine the tiles that fail, and give a verdict on the set. "
        "Exits with 65 when the verdict is bad.",
    )
    parser.add_argument(
        "--raw", type=Path, default=defaults.raw, help="shards and manifest (default: %(default)s)"
    )
    parser.add_argument(
        "--validated",
        type=Path,
        default=defaults.validated,
        help="folder of features.parquet and quarantine.csv (default: %(default)s)",
    )
    parser.add_argument(
        "--reports",
        type=Path,
        default=defaults.reports,
        help="folder of the data docs, verdict.json and metrics.json (default: %(default)s)",
    )
    arguments = parser.parse_args()
    folders = Folders(arguments.raw, arguments.validated, arguments.reports)
    validate(folders, load_parameters("validate", ValidateParameters))


if __name__ == "__main__":
    run(main)
