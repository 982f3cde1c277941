"""Catalogue entries made from checked markers, in the form of ``components/download/catalogue``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import components
from components.acquisitions.marker import DeliveredFile, Marker, images_of
from components.contract.errors import BadDataError
from components.contract.hashing import canonical_json
from components.lib.datasets.sensors import dataset_of
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.plan import Acquisition
from components.lib.operations.state import State

COMMITTED = Path(components.__path__[0]) / "download" / "catalogue"
"""Folder of the entries that come with the code; their ids are taken."""


def entry_content(marker: Marker, landing_uri: str) -> bytes:
    """Return the entry's bytes: JSON, which is YAML too; equal markers give equal bytes.

    Args:
        marker: Checked marker.
        landing_uri: URI of the landing place.
    """
    entry = {
        **marker.model_dump(mode="json", exclude={"files"}),
        "source": f"{landing_uri}/{marker.id}/",
        "objects": [file.model_dump(mode="json") for file in marker.files],
        # Files that turn up later belong to no registered acquisition.
        "closed": True,
    }
    return canonical_json(entry) + b"\n"


def write_entry(objects: ObjectStore, acquisition: Acquisition, content: bytes) -> None:
    """Keep a catalogue entry, once.

    Raises:
        BadDataError: If the id has another entry.
    """
    key = acquisition.object_key
    if not objects.create(key, content) and objects.get(key) != content:
        raise taken(acquisition.id, "has a catalogue entry of other content")


def require_free_id(acquisition: str) -> None:
    """Refuse ids of the committed catalogue.

    Raises:
        BadDataError: If ``acquisition`` is one of them.
    """
    if (COMMITTED / f"{acquisition}.yaml").exists():
        raise taken(acquisition, "is the name of an entry in components/download/catalogue")


def require_new_ground(objects: ObjectStore, marker: Marker, state: State) -> None:
    """Refuse an acquisition that repeats tiles of another one: training could not tell the two apart.

    Raises:
        BadDataError: If an acquisition of the same sensor that is not withdrawn has a tile of the same name.
    """
    for name, sha256 in state.pending.items():
        entry = json.loads(Acquisition(name, sha256).entry(objects))
        shared = marker.images & _images(entry) if entry["sensor"] == marker.sensor else set()
        if shared:
            raise BadDataError(
                f"acquisition {marker.id}: {len(shared)} tiles are in {name} too, such as {min(shared)}",
                next_step=f"withdraw {name} first if this one replaces it, then run "
                "`python -m components.acquisitions register --again`; otherwise correct the strips' names",
            )


def taken(acquisition: str, why: str) -> BadDataError:
    """Return the failure for an id that cannot be used."""
    return BadDataError(
        f"acquisition {acquisition}: the id {why}", next_step="land it under a new id; ids are never reused"
    )


def _images(entry: Mapping[str, Any]) -> set[str]:
    return images_of(
        [DeliveredFile.model_construct(**item) for item in entry["objects"]],
        dataset_of(str(entry["sensor"])),
    )
