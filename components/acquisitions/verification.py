"""Check of delivered files against their marker: listing, sizes, SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from components.acquisitions.marker import DeliveredFile, Marker
from components.acquisitions.parameters import FILES_AT_A_TIME
from components.contract.errors import BadDataError
from components.contract.keys import MARKER
from components.lib.foreign import one_line
from components.lib.objects.protocol import Objects, ObjectStore

SHOWN = 5
"""Number of files that a message names."""


def verify(landing: ObjectStore, marker: Marker, listing: Objects) -> None:
    """Check every file of an acquisition.

    Args:
        landing: Landing place.
        marker: Marker of the acquisition.
        listing: Listing of its folder.

    Raises:
        BadDataError: If files are missing, unnamed in the marker, of another size or content, naming them.
        SourceUnavailableError: If the store does not answer.
    """
    start = f"{marker.id}/"
    found = {info.key.removeprefix(start): info.size for info in listing}
    found.pop(MARKER, None)
    stated = {file.key: file.size for file in marker.files}
    _refuse(marker.id, "missing", stated.keys() - found.keys())
    # Write access to the landing place must not suffice to add files that the marker does not name.
    _refuse(marker.id, "there, but not in the marker", found.keys() - stated.keys())
    _refuse(marker.id, "of another size than stated", [key for key in stated if stated[key] != found[key]])
    _refuse(marker.id, "without the stated SHA-256", _spoilt(landing, marker))


def _spoilt(landing: ObjectStore, marker: Marker) -> list[str]:
    def check(file: DeliveredFile) -> str | None:
        digest = hashlib.sha256()
        for chunk in landing.chunks(f"{marker.id}/{file.key}"):
            digest.update(chunk)
            bar.update(len(chunk))
        return None if digest.hexdigest() == file.sha256 else file.key

    total = sum(file.size for file in marker.files)
    with (
        tqdm(total=total, desc=marker.id, unit="B", unit_scale=True, disable=None) as bar,
        ThreadPoolExecutor(min(landing.readers, FILES_AT_A_TIME)) as pool,
    ):
        return [key for key in pool.map(check, marker.files) if key is not None]


def _refuse(acquisition: str, what: str, keys: Iterable[str]) -> None:
    names = sorted(map(one_line, keys))
    if names:
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        raise BadDataError(
            f"acquisition {acquisition}: {len(names)} files are {what}: {', '.join(names[:SHOWN])}{more}",
            next_step="upload them again; the acquisition is looked at again when anything in it changed",
        )
