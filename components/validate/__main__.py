"""``python -m components.validate``: per-tile features by partition; quarantine, data docs and verdict."""

from __future__ import annotations

import argparse
from pathlib import Path

from components.lib.cli import run
from components.lib.config.loader import load_parameters, load_partitions
from components.validate.measure import measure
from components.validate.parameters import ValidateParameters
from components.validate.stage import Folders, judge, validate


def main() -> None:
    """Validate ``data/raw`` with the ``validate`` section of ``params.yaml``."""
    defaults = Folders()
    parser = argparse.ArgumentParser(
        prog="python -m components.validate",
        description="Compute features of every tile in data/raw, partition by partition, hold a suite of "
        "expectations per sensor against those of all partitions, quarantine the tiles that fail, and give a "
        "verdict on the set. Exits with 65 when the verdict is bad.",
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--partition", metavar="NAME", help="measure this partition (p00, ...), and no verdict")
    part.add_argument("--verdict", action="store_true", help="the verdict alone: all partitions are measured")
    parser.add_argument(
        "--raw", type=Path, default=defaults.raw, help="shards and manifests (default: %(default)s)"
    )
    parser.add_argument(
        "--features", type=Path, default=defaults.features, help="features (default: %(default)s)"
    )
    parser.add_argument(
        "--validated",
        type=Path,
        default=defaults.validated,
        help="folder of features.parquet and quarantine.csv, and of each partition's quarantine.csv "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--reports",
        type=Path,
        default=defaults.reports,
        help="folder of the data docs, verdict.json and metrics.json (default: %(default)s)",
    )
    arguments = parser.parse_args()
    folders = Folders(arguments.raw, arguments.features, arguments.validated, arguments.reports)
    partitions = load_partitions(arguments.partition)
    if arguments.partition is not None:
        measure(folders.raw / partitions[0], folders.features / partitions[0])
        return
    work = judge if arguments.verdict else validate
    work(folders, load_parameters("validate", ValidateParameters), partitions)


if __name__ == "__main__":
    run(main)
