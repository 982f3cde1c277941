"""``python -m components.pairs``: write the store of a data set of pairs."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.lib.change.store.layout import STORE_FILE
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.files import require_replaceable
from components.pairs.parameters import DATA_SETS, PairsParameters
from components.pairs.pipeline import SHEET_FILE, prepare_pairs
from components.pairs.sources import open_source

STORES, REPORTS = Path("data/pairs"), Path("reports/pairs")


def main() -> None:
    """Read a data set of pairs, write its store below data/pairs and its reports below reports/pairs."""
    parser = argparse.ArgumentParser(
        prog="python -m components.pairs",
        description="Read a data set of pairs of two dates, check it, cut it into tiles, compare its splits, "
        "and write its training store. Other settings are in section pairs of params.yaml.",
    )
    parser.add_argument("--data-set", required=True, metavar="NAME", help=f"one of {', '.join(DATA_SETS)}")
    parser.add_argument(
        "--source",
        type=Path,
        metavar="DIR",
        help="folder of its files; by default that of pairs.folders in params.yaml; none for simulated",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"folder of the store ({STORES}/NAME)")
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="DIR",
        help=f"folder of metrics.json, details.json and sheet.png ({REPORTS}/NAME)",
    )
    arguments = parser.parse_args()
    parameters = load_parameters("pairs", PairsParameters)
    name: str = arguments.data_set
    store: Path = arguments.out or STORES / name
    reports: Path = arguments.reports or REPORTS / name
    require_replaceable(store, STORE_FILE, "a store of pairs")
    source = open_source(name, arguments.source, parameters)
    found = prepare_pairs(source, store, reports, parameters)
    tiles = sum(found[f"{split}_tiles"] for split in ("train", "val", "test"))
    logging.getLogger(__name__).info("%d tiles in %s; look at %s", tiles, store, reports / SHEET_FILE)


if __name__ == "__main__":
    run(main)
