"""``python -m components.osm``: draw the masks of a task from a pinned OpenStreetMap extract."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.lib.cli import run
from components.lib.config.loader import load_parameters
from components.lib.files import require_replaceable
from components.lib.osm.store import RECORD_FILE
from components.lib.osm.terms import TASKS
from components.lib.store.store import Store
from components.osm.parameters import OsmParameters
from components.osm.pipeline import draw_masks

STORE, MASKS, REPORTS = Path("data/prepared"), Path("data/osm"), Path("reports/osm")


def main() -> None:
    """Read the extract and the prepared store, write masks below data/osm and reports below reports/osm."""
    parser = argparse.ArgumentParser(
        prog="python -m components.osm",
        description="Draw roads or buildings of a pinned OpenStreetMap extract (osm.extract of params.yaml) "
        "on the grids of the prepared tiles, and measure the quality of each tile.",
    )
    parser.add_argument("--task", required=True, metavar="NAME", help=f"one of {', '.join(TASKS)}")
    parser.add_argument("--store", type=Path, default=STORE, help="the prepared store (%(default)s)")
    parser.add_argument("--out", type=Path, help=f"masks and quality ({MASKS}/NAME)")
    parser.add_argument("--reports", type=Path, help=f"metrics, details and sheet ({REPORTS}/NAME)")
    arguments = parser.parse_args()
    task = next((known for known in TASKS if known == arguments.task), None)
    if task is None:
        raise ParameterError(
            f"--task: there is no task {arguments.task!r}{nearest(arguments.task, TASKS)}",
            next_step=f"use one of {', '.join(TASKS)}",
        )
    parameters = load_parameters("osm", OsmParameters)
    out: Path = arguments.out or MASKS / task
    reports: Path = arguments.reports or REPORTS / task
    require_replaceable(out, RECORD_FILE, "masks")
    if reports.resolve().is_relative_to(out.resolve()):
        raise ParameterError(
            f"--reports {reports} lies in {out}, which is replaced as a whole",
            next_step="name a folder beside it",
        )
    found = draw_masks(task, Store.open(arguments.store), out, reports, parameters)
    logging.getLogger(__name__).info("%d masks in %s", found["tiles"], out)


if __name__ == "__main__":
    run(main)
