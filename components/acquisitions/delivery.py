"""Copy of a checked acquisition in the project's own store, from which all trainings read it.

The landing place belongs to producers: what lies there may be replaced, or expire. The copy is addressed by
the marker, which states the hash of every file, so equal content has one address, and a copy that was
interrupted goes on with what is missing. What an attempt of long ago left is copied anew: housekeeping may
remove old copies that nobody registered, and sees by the new files that this one is alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from tqdm import tqdm

from components.acquisitions.marker import DeliveredFile, Marker
from components.acquisitions.parameters import FILES_AT_A_TIME
from components.contract.errors import BadDataError, SourceUnavailableError
from components.contract.keys import delivery_prefix
from components.lib.ledger.chain import utc_now
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore
from components.lib.operations.removals import wait_for_removals

ATTEMPTS = 3
"""Copies of one acquisition in a row."""

RESUMED = timedelta(days=1)
"""Age up to which a file of an earlier attempt counts; less than ``keep_deliveries_days`` may be."""


def copy_delivery(
    landing: ObjectStore, objects: ObjectStore, marker: Marker, marker_sha256: str, listing: Objects
) -> str:
    """Copy the files of an acquisition; those that were copied lately are not copied again.

    Args:
        landing: Landing place.
        objects: The project's own store.
        marker: Marker of the acquisition, whose files were verified.
        marker_sha256: SHA-256 of the marker's bytes.
        listing: Listing of the acquisition's folder before it was verified.

    Returns:
        URI of the copy, with a slash at its end.

    Raises:
        SourceUnavailableError: If a store does not answer, a file has changed since it was listed, or a copy
            is removed.
    """
    prefix = delivery_prefix(marker.id, marker_sha256)
    listed = {info.key: info for info in listing}

    def copy(file: DeliveredFile) -> int:
        _copy(landing, objects, listed[f"{marker.id}/{file.key}"], prefix + file.key, file.sha256)
        return file.size

    missing = _missing(objects, prefix, marker, since=utc_now() - RESUMED)
    for _ in range(ATTEMPTS):
        _for_each(copy, missing, f"copy {marker.id}", min(objects.readers, FILES_AT_A_TIME))
        # Of one who listed the copy before the new files were there.
        wait_for_removals(objects, {prefix})
        if not (missing := _missing(objects, prefix, marker)):
            return f"{objects.uri}/{prefix}"
    raise SourceUnavailableError(
        f"{objects.uri}/{prefix}: {len(missing)} files that were copied are gone again",
        next_step="none: the acquisition is looked at again",
    )


def _missing(
    objects: ObjectStore, prefix: str, marker: Marker, since: datetime | None = None
) -> list[DeliveredFile]:
    """Return the files that the copy lacks, or that were copied before ``since``."""
    there = {info.key: info.size for info in objects.list(prefix) if since is None or info.modified > since}
    return [file for file in marker.files if there.get(prefix + file.key) != file.size]


def _for_each(
    copy: Callable[[DeliveredFile], int], files: Sequence[DeliveredFile], title: str, threads: int
) -> None:
    total = sum(file.size for file in files)
    with (
        tqdm(total=total, desc=title, unit="B", unit_scale=True, disable=None) as bar,
        ThreadPoolExecutor(threads) as pool,
    ):
        for size in pool.map(copy, files):
            bar.update(size)


def _copy(landing: ObjectStore, objects: ObjectStore, listed: ObjectInfo, key: str, sha256: str) -> None:
    try:
        objects.copy(landing, listed, key, sha256=sha256)
    except BadDataError as error:
        raise SourceUnavailableError(
            f"{landing.uri}/{listed.key} changed while it was copied",
            next_step="none: the acquisition is looked at again",
        ) from error
