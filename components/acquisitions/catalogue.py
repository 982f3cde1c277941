"""Catalogue entries made from checked markers, in the form of ``components/download/catalogue``."""

from __future__ import annotations

from pathlib import Path

import components
from components.acquisitions.marker import Marker
from components.acquisitions.rejections import RefusedError
from components.contract.hashing import canonical_json
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.plan import Acquisition

COMMITTED = Path(components.__path__[0]) / "download" / "catalogue"
"""Folder of the entries that come with the code; their ids are taken."""


def entry_content(marker: Marker, source: str) -> bytes:
    """Return the entry's bytes: JSON, which is YAML too; equal markers give equal bytes.

    Args:
        marker: Checked marker.
        source: URI of the files' folder, with a slash at its end.
    """
    entry = {
        **marker.model_dump(mode="json", exclude={"files"}),
        "source": source,
        "objects": [file.model_dump(mode="json") for file in marker.files],
        # Files that turn up later belong to no registered acquisition.
        "closed": True,
    }
    return canonical_json(entry) + b"\n"


def write_entry(objects: ObjectStore, acquisition: Acquisition, content: bytes) -> None:
    """Keep a catalogue entry, once.

    Raises:
        RefusedError: If the id has another entry.
    """
    key = acquisition.object_key
    if not objects.create(key, content) and objects.get(key) != content:
        raise taken(acquisition.id, "has a catalogue entry of other content")


def require_free_id(acquisition: str) -> None:
    """Refuse ids of the committed catalogue.

    Raises:
        RefusedError: If ``acquisition`` is one of them.
    """
    if (COMMITTED / f"{acquisition}.yaml").exists():
        raise taken(acquisition, "is the name of an entry in components/download/catalogue")


def taken(acquisition: str, why: str) -> RefusedError:
    """Return the failure for an id that cannot be used."""
    return RefusedError(
        f"acquisition {acquisition}: the id {why}", next_step="land it under a new id; ids are never reused"
    )
