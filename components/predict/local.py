"""Maps of the scenes that a user names, into a folder or a bucket."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from components.contract.errors import MissingInputError, StormsightError
from components.contract.temporary import scratch_folder
from components.lib.objects.folder import FolderObjects
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.predict.mapping import SceneMap
from components.predict.models import ServedModel
from components.predict.outputs import facts as names
from components.predict.request import MapRequest
from components.predict.workers import map_side_by_side

LOG = logging.getLogger(__name__)

WORK = ".work/"
"""Prefix of finished blocks below a folder of maps; a bucket's are kept in ``var/maps``."""

_WORK_OF_BUCKETS = Path("var/maps")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSummary:
    """Numbers of a map, for people.

    Attributes:
        id: Id of the map.
        place: Folder or URI of its files.
        model: The model in words.
        simulated: True for the rehearsal world.
        km2: Ground with data, square kilometres.
        buildings: Number of buildings.
        seconds: Time that it took; None if the map was there.
    """

    id: str
    place: str
    model: str
    simulated: bool
    km2: float
    buildings: int
    seconds: float | None

    @property
    def text(self) -> str:
        """Return the summary in two lines."""
        took = "was there already" if self.seconds is None else f"{self.seconds:.1f} s"
        note = "SIMULATED, " if self.simulated else ""
        return (
            f"{self.id}: {note}{self.km2:.3f} km2, {self.buildings} buildings, {took}; {self.model}\n"
            f"  {self.place}/{names.PAGE}"
        )


def map_all(requests: Sequence[MapRequest], out: str, *, fallback: str | None = None) -> list[MapSummary]:
    """Make a map of each request; one that fails does not keep the others from it.

    Args:
        requests: The maps, all by one model.
        out: Folder or ``s3://`` URI; each map is a folder in it.
        fallback: Model to map with where the requests' one is missing.

    Raises:
        StormsightError: What failed, after the others were made.
    """
    store = open_objects(out)
    requests, model = _with_model(requests, fallback)
    made: list[MapSummary] = []
    failures: list[StormsightError] = []
    for request in requests:
        try:
            made.append(_map(request, model, store))
            print(made[-1].text)  # noqa: T201 - each map is told when it is there
        except StormsightError as error:
            if len(requests) == 1:
                raise
            LOG.error("%s", error)
            failures.append(error)
    if failures:
        first = failures[0]
        more = f"; and {len(failures) - 1} more, see above" if len(failures) > 1 else ""
        raise type(first)(first.message + more, next_step=first.next_step)
    return made


def _with_model(
    requests: Sequence[MapRequest], fallback: str | None
) -> tuple[Sequence[MapRequest], ServedModel]:
    try:
        return requests, requests[0].load()
    except MissingInputError as error:
        if fallback is None:
            raise
        LOG.warning("%s; %s maps instead, and is not promoted", error.message, fallback)
        requests = [replace(request, model=fallback) for request in requests]
        return requests, requests[0].load()


def _map(request: MapRequest, model: ServedModel, store: ObjectStore) -> MapSummary:
    start = perf_counter()
    opened = request.open(model)
    if not store.exists(f"{opened.id}/{names.ITEM}"):
        work = store if isinstance(store, FolderObjects) else FolderObjects(_WORK_OF_BUCKETS)
        prefix = f"{WORK}{opened.id}/"
        map_side_by_side(request, opened, work, prefix)
        _publish(opened, work, prefix, store)
        for info in work.list(prefix):
            work.delete(info.key)
        return summary_of(store, opened.id, model, perf_counter() - start)
    return summary_of(store, opened.id, model, None)


def _publish(opened: SceneMap, work: ObjectStore, prefix: str, store: ObjectStore) -> None:
    """Write a map's files: into the folder by one rename, into a bucket with the item last."""
    with ExitStack() as stack:
        if isinstance(store, FolderObjects):
            opened.finish(work, prefix, store.root / opened.id)
            return
        folder = stack.enter_context(scratch_folder("map")) / opened.id
        opened.finish(work, prefix, folder)
        for path in sorted(folder.iterdir()):
            if path.name != names.ITEM:
                store.upload(f"{opened.id}/{path.name}", path)
        if not store.create(f"{opened.id}/{names.ITEM}", (folder / names.ITEM).read_bytes()):
            LOG.info("map %s was published by another process", opened.id)


def summary_of(store: ObjectStore, map_id: str, model: ServedModel, seconds: float | None) -> MapSummary:
    """Return the summary of a finished map from its STAC item.

    Raises:
        MissingInputError: If there is no such map.
    """
    key = f"{map_id}/{names.ITEM}"
    if not store.exists(key):
        raise MissingInputError(f"{store.uri}/{key} is missing", next_step="map the scene")
    properties = json.loads(store.get(key))["properties"]
    return MapSummary(
        id=map_id,
        place=f"{store.uri.removeprefix('file://')}/{map_id}",
        model=model.words,
        simulated=bool(properties["stormsight:simulated"]),
        km2=float(properties["stormsight:mapped_km2"]),
        buildings=int(properties["stormsight:buildings"]),
        seconds=seconds,
    )
