"""Copies of database dumps outside of the cluster: what lies in a folder goes to an object store, once."""

from __future__ import annotations

import logging
from pathlib import Path

from components.contract.errors import MissingInputError
from components.lib.objects.protocol import ObjectStore

LOG = logging.getLogger(__name__)

PATTERN = "*.dump"
"""Names of finished dumps; one that is being written has another."""


def upload_dumps(folder: Path, store: ObjectStore) -> list[str]:
    """Copy the dumps of a folder that the store does not hold in full; nothing is removed there.

    Args:
        folder: Folder of the dumps, whose names hold database and time.
        store: Store for them; how long it keeps them is a rule of the bucket.

    Returns:
        Names of those that were copied.

    Raises:
        MissingInputError: If the folder holds no dump.
        SourceUnavailableError: If the store does not answer.
    """
    dumps = sorted(folder.glob(PATTERN))
    if not dumps:
        raise MissingInputError(
            f"{folder} holds no {PATTERN}", next_step="look at the log of the container that dumps"
        )
    there = {info.key: info.size for info in store.list()}
    missing = [path for path in dumps if there.get(path.name) != path.stat().st_size]
    for path in missing:
        store.upload(path.name, path)
        LOG.info("%s is in %s: %d bytes", path.name, store.uri, path.stat().st_size)
    return [path.name for path in missing]
