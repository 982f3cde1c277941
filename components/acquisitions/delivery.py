"""Copy of a checked acquisition in the project's own store, from which all trainings read it.

The landing place belongs to producers: what lies there may be replaced, or expire. The copy is addressed by
the marker, which states the hash of every file, so equal content has one address, and a copy that was
interrupted goes on with what is missing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from components.acquisitions.marker import DeliveredFile, Marker
from components.acquisitions.parameters import FILES_AT_A_TIME
from components.contract.errors import BadDataError, SourceUnavailableError
from components.contract.keys import delivery_prefix
from components.lib.objects.protocol import ObjectInfo, Objects, ObjectStore


def copy_delivery(
    landing: ObjectStore, objects: ObjectStore, marker: Marker, marker_sha256: str, listing: Objects
) -> str:
    """Copy the files of an acquisition; those that are there already are not copied again.

    Args:
        landing: Landing place.
        objects: The project's own store.
        marker: Marker of the acquisition, whose files were verified.
        marker_sha256: SHA-256 of the marker's bytes.
        listing: Listing of the acquisition's folder before it was verified.

    Returns:
        URI of the copy, with a slash at its end.

    Raises:
        SourceUnavailableError: If a store does not answer, or a file has changed since it was listed.
    """
    prefix = delivery_prefix(marker.id, marker_sha256)
    listed = {info.key: info for info in listing}
    there = {info.key: info.size for info in objects.list(prefix)}
    missing = [file for file in marker.files if there.get(prefix + file.key) != file.size]

    def copy(file: DeliveredFile) -> None:
        _copy(landing, objects, listed[f"{marker.id}/{file.key}"], prefix + file.key, file.sha256)
        bar.update(file.size)

    with (
        tqdm(
            total=sum(file.size for file in missing),
            desc=f"copy {marker.id}",
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar,
        ThreadPoolExecutor(min(objects.readers, FILES_AT_A_TIME)) as pool,
    ):
        for _ in pool.map(copy, missing):
            pass
    return f"{objects.uri}/{prefix}"


def _copy(landing: ObjectStore, objects: ObjectStore, listed: ObjectInfo, key: str, sha256: str) -> None:
    try:
        objects.copy(landing, listed, key, sha256=sha256)
    except BadDataError as error:
        raise SourceUnavailableError(
            f"{landing.uri}/{listed.key} changed while it was copied",
            next_step="none: the acquisition is looked at again",
        ) from error
