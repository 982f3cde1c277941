"""``python -m components.download``: fetch acquisitions into ``data/raw``, partition by partition."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from components.contract.errors import ParameterError
from components.contract.parameters import PARAMS_FILE
from components.contract.partitions import acquisitions_of, partition_of
from components.download.acquire import STAGING, acquire
from components.download.catalogue import CATALOGUE, known_acquisitions, load_entry
from components.download.parameters import DownloadParameters, check_acquisitions, load_acquisitions
from components.download.publish import publish
from components.lib.cli import run
from components.lib.config.loader import load_parameters, load_partitions

log = logging.getLogger("components.download")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    command = argparse.ArgumentParser(
        prog="python -m components.download",
        description="Fetch the acquisitions of params.yaml into data/raw/<partition>: tar shards and one "
        "manifest each. What has arrived stays in var/download: a killed run goes on where it was, a second "
        "run fetches nothing.",
    )
    command.add_argument("--partition", metavar="NAME", help="this partition alone (p00, ...); default: all")
    command.add_argument(
        "--acquisition",
        action="append",
        metavar="ID",
        help="fetch this catalogue entry instead of the section acquisitions; may be given several times",
    )
    command.add_argument("--list", action="store_true", help="list the catalogue and leave")
    command.add_argument("--catalogue", type=Path, default=CATALOGUE, help="folder of catalogue entries")
    command.add_argument("--params", type=Path, default=PARAMS_FILE, help="parameter file (%(default)s)")
    command.add_argument(
        "--output", type=Path, default=Path("data/raw"), help="folder of the partitions (%(default)s)"
    )
    command.add_argument("--staging", type=Path, default=STAGING, help="what has arrived (%(default)s)")
    return command


def list_catalogue(folder: Path, partitions: list[str]) -> None:
    """Print one line per entry, with the partition that it falls into."""
    for acquisition in known_acquisitions(folder):
        entry = load_entry(acquisition, folder)
        kind = "simulated" if entry.simulated else "real"
        partition = partition_of(entry.id, partitions)
        print(
            f"{entry.id:24} {kind:10} {entry.sensor:22} {partition:4} {entry.licence.name:14} {entry.source}"
        )


def main() -> int:
    """Run the stage."""
    arguments = parser().parse_args()
    partitions = load_partitions(path=arguments.params)
    if arguments.list:
        list_catalogue(arguments.catalogue, partitions)
        return 0
    chosen = load_partitions(arguments.partition, arguments.params)
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
    entries = {
        partition: [
            load_entry(name, arguments.catalogue) for name in acquisitions_of(partition, names, partitions)
        ]
        for partition in chosen
    }
    for partition, inside in entries.items():
        shards = {
            entry.id: acquire(entry, parameters, staging_root=arguments.staging, params_file=arguments.params)
            for entry in inside
        }
        folder = arguments.output / partition
        rows = publish(shards, folder)
        count = len({row.shard for row in rows})
        size = sum(row.size for row in rows) / 1e6
        log.info("%s: %d files, %.1f MB, in %d shards", folder, len(rows), size, count)
    return 0


if __name__ == "__main__":
    run(main)
