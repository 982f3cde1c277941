"""``python -m components.prepare``: write the training store."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.lib.cli import run
from components.lib.config.loader import load_parameters, load_partitions
from components.prepare.parameters import PrepareParameters
from components.prepare.pipeline import Folders, prepare_partition
from components.prepare.store import prepare, split_store


def main() -> None:
    """Read data/raw and data/validated, write data/prepared and its metrics below reports/prepare."""
    defaults = Folders()
    parser = argparse.ArgumentParser(
        prog="python -m components.prepare",
        description="Pair, align and rasterise, partition by partition; split all of them by location, and "
        "write the training store.",
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--partition", metavar="NAME", help="the tiles of this partition (p00, ...), and no split"
    )
    part.add_argument("--split", action="store_true", help="the split alone: all partitions are prepared")
    parser.add_argument("--raw", type=Path, default=defaults.raw, help="shards and manifests (%(default)s)")
    parser.add_argument(
        "--validated",
        type=Path,
        default=defaults.validated,
        help="tiles to leave out, by partition (%(default)s)",
    )
    parser.add_argument("--out", type=Path, default=defaults.store, help="the store (%(default)s)")
    parser.add_argument(
        "--metrics", type=Path, default=defaults.metrics, help="counts and leaks (%(default)s)"
    )
    arguments = parser.parse_args()
    folders = Folders(arguments.raw, arguments.validated, arguments.out, arguments.metrics)
    parameters = load_parameters("prepare", PrepareParameters)
    partitions = load_partitions(arguments.partition)
    if arguments.partition is not None:
        prepare_partition(folders, partitions[0], parameters)
        return
    if arguments.split:
        summary = split_store(folders, parameters.split, partitions)
    else:
        summary = prepare(folders, parameters, partitions)
    logging.getLogger(__name__).info("%d tiles in %s", summary["tiles"], folders.store)


if __name__ == "__main__":
    run(main)
