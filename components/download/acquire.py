"""Acquisition of one data delivery, from its catalogue entry to finished shards."""

from __future__ import annotations

import logging
from pathlib import Path

from components.contract.errors import SourceUnavailableError
from components.contract.parameters import PARAMS_FILE
from components.download.catalogue import CatalogueEntry
from components.download.loose import fetch_loose
from components.download.parameters import DownloadParameters
from components.download.sources.base import Generated, LooseFiles, ObjectChangedError
from components.download.sources.opening import open_source
from components.download.staging import FULL_DISK_ADVICE, FinishedShard, Staging
from components.download.stream import fetch_packed, write_generated
from components.download.transfer import TransferSettings
from components.lib.disk import writing_to

log = logging.getLogger(__name__)

STAGING = Path("var/download")
LISTINGS = 3
"""Listings of a source whose objects change under the transfer."""


def acquire(
    entry: CatalogueEntry,
    parameters: DownloadParameters,
    *,
    staging_root: Path = STAGING,
    params_file: Path = PARAMS_FILE,
) -> list[FinishedShard]:
    """Bring the acquisition's shards into ``staging_root/<id>``, transferring only what is not there.

    Raises:
        ResourceError: If the disk is full, or another process fetches the same acquisition.
        SourceUnavailableError: If the source does not answer, or changes all the time.
        BadDataError: If what it holds is wrong.
    """
    folder = staging_root / entry.id
    with writing_to(folder, next_step=FULL_DISK_ADVICE):
        staging = Staging(folder)
        with staging.locked():
            for _ in range(LISTINGS):
                try:
                    return _acquire(entry, parameters, staging, params_file)
                except ObjectChangedError as error:
                    log.warning("%s: %s changed under the transfer; listing again", entry.id, error)
                    changed = error
    raise SourceUnavailableError(
        f"{changed}: it changed in each of {LISTINGS} tries",
        next_step="run the command again when the source is at rest: what has arrived is kept",
    )


def _acquire(
    entry: CatalogueEntry, parameters: DownloadParameters, staging: Staging, params_file: Path
) -> list[FinishedShard]:
    settings = TransferSettings(
        workers=parameters.workers, part_bytes=parameters.part_mib << 20, attempts=parameters.attempts
    )
    shard_bytes = parameters.shard_mib << 20
    delivery = open_source(entry, parameters, params_file).deliver()
    if isinstance(delivery, Generated):
        return write_generated(entry, delivery, staging, shard_bytes)
    if isinstance(delivery, LooseFiles):
        return fetch_loose(entry, delivery, staging, shard_bytes, settings)
    return fetch_packed(entry, delivery, staging, shard_bytes, settings)
