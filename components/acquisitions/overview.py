"""All acquisitions that landed, were rejected, registered, trained or withdrawn, as a table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from components.acquisitions.rejections import rejections
from components.contract.errors import ParameterError, StormsightError
from components.contract.keys import marker_key
from components.lib.foreign import one_line
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from components.lib.operations.state import State


@dataclass(frozen=True, slots=True)
class Row:
    """One acquisition.

    Attributes:
        id: Id in the catalogue, or folder in the landing place.
        state: ``arriving``, ``landed``, ``rejected``, ``registered``, ``trained`` or ``withdrawn``.
        sensor: Name of the sensor; empty where it is unknown.
        tiles: Number of tiles; 0 where it is unknown.
        note: Reason of a withdrawal or rejection.
    """

    id: str
    state: str
    sensor: str = ""
    tiles: int = 0
    note: str = ""


def overview(landing: ObjectStore, objects: ObjectStore) -> list[Row]:
    """Return every acquisition: registered ones in the order of registration, then the others.

    Raises:
        BadDataError: If the operations ledger is broken.
    """
    state = Operations(objects).state()
    rows = [_registered(objects, name, state) for name in state.registered]
    refused = {rejection.id: rejection for rejection in rejections(objects)}
    for name in sorted({*landing.folders(), *refused} - set(state.registered)):
        if name in refused:
            note = refused[name].message.removeprefix(f"acquisition {name}: ")
            rows.append(Row(name, "rejected", note=note))
        else:
            rows.append(Row(name, "landed" if _has_landed(landing, name) else "arriving"))
    return rows


def text_of(rows: list[Row]) -> str:
    """Return the rows as a text table."""
    if not rows:
        return "no acquisition has landed"
    names = [one_line(row.id)[:63] for row in rows]
    width = max(32, *map(len, names))
    lines = [
        f"{name:<{width}} {row.state:<11} {row.sensor:<22} {row.tiles or '':>5} {row.note}".rstrip()
        for name, row in zip(names, rows, strict=True)
    ]
    return "\n".join([f"{'id':<{width}} {'state':<11} {'sensor':<22} {'tiles':>5} note", *lines])


def json_of(rows: list[Row]) -> str:
    """Return the rows as JSON."""
    return json.dumps([asdict(row) for row in rows], indent=2)


def _has_landed(landing: ObjectStore, name: str) -> bool:
    try:
        return landing.exists(marker_key(name))
    except ParameterError:  # a folder's name that is no key; registration rejects it
        return False


def _registered(objects: ObjectStore, name: str, state: State) -> Row:
    word = "withdrawn" if name in state.withdrawn else "trained" if name in state.trained else "registered"
    note = state.withdrawn[name].reason if name in state.withdrawn else ""
    try:
        entry = json.loads(Acquisition(name, state.registered[name].catalogue_sha256).entry(objects))
    except StormsightError as error:  # the table is there to show such things
        return Row(name, word, note=error.message)
    return Row(name, word, str(entry["sensor"]), int(entry["tiles"]), note)
