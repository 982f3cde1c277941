"""``python -m components.download``: fetch acquisitions into ``data/raw``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.parameters import PARAMS_FILE
from components.download.acquire import STAGING, acquire
from components.download.catalogue import CATALOGUE, known_acquisitions, load_entry
from components.download.parameters import DownloadParameters, check_acquisitions, load_acquisitions
from components.download.publish import publish
from components.lib.cli import run
from components.lib.config.loader import load_parameters

log = logging.getLogger("components.download")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m components.download",
        description="Fetch the acquisitions of params.yaml into data/raw: tar shards and one manifest. What "
        "has arrived stays in var/download: a killed run goes on where it was, a second run fetches nothing.",
    )
    command.add_argument(
        "--acquisition",
        action="append",
        metavar="ID",
        help="fetch this catalogue entry instead of the section acquisitions; may be given several times",
    )
    command.add_argument("--list", action="store_true", help="list the catalogue and leave")
    command.add_argument("--catalogue", type=Path, default=CATALOGUE, help="folder of catalogue entries")
    command.add_argument("--params", type=Path, default=PARAMS_FILE, help="parameter file (%(default)s)")
    command.add_argument("--output", type=Path, default=Path("data/raw"), help="result (%(default)s)")
    command.add_argument("--staging", type=Path, default=STAGING, help="what has arrived (%(default)s)")
    return command


def list_catalogue(folder: Path) -> None:
    """Print one line per entry."""
    for acquisition in known_acquisitions(folder):
        entry = load_entry(acquisition, folder)
        kind = "simulated" if entry.simulated else "real"
        print(f"{entry.id:24} {kind:10} {entry.sensor:22} {entry.licence.name:14} {entry.source}")


def main() -> int:
    """Run the stage."""
    arguments = parser().parse_args()
    if arguments.list:
        list_catalogue(arguments.catalogue)
        return 0
    known = known_acquisitions(arguments.catalogue)
    parameters = load_parameters("download", DownloadParameters, arguments.params)
    check_acquisitions(list(parameters.mirrors), known, where="download.mirrors")
    if arguments.acquisition:
        names = check_acquisitions(arguments.acquisition, known, where="--acquisition")
    else:
        names = load_acquisitions(known, arguments.params)
    if arguments.output.absolute() in (arguments.staging / "x").absolute().parents:
        raise ParameterError(
            f"--staging {arguments.staging} lies inside --output", next_step="keep the two apart"
        )
    # All entries are read before the first byte is fetched: a typo in the last one must not cost hours.
    entries = [load_entry(name, arguments.catalogue) for name in names]
    shards = {
        entry.id: acquire(entry, parameters, staging_root=arguments.staging, params_file=arguments.params)
        for entry in entries
    }
    rows = publish(shards, arguments.output)
    count = len({row.shard for row in rows})
    size = sum(row.size for row in rows) / 1e6
    log.info("%s: %d files, %.1f MB, in %d shards", arguments.output, len(rows), size, count)
    return 0


if __name__ == "__main__":
    run(main)
