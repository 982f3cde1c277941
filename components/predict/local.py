"""Maps of the scenes that a user names, into a folder or a bucket."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from components.contract.errors import BadDataError, MissingInputError, ParameterError, StormsightError
from components.contract.keys import ITEM, map_item_key
from components.contract.temporary import scratch_folder
from components.lib.catalogue.documents import get_bounded, read_item
from components.lib.catalogue.entries import TASK, task_of
from components.lib.catalogue.maps import Catalogue
from components.lib.catalogue.root import placed
from components.lib.objects.folder import FolderObjects
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.tasks.names import TaskName
from components.predict.changes.publishing import MapComparer
from components.predict.mapping import SceneMap
from components.predict.models import ServedModel
from components.predict.request import MapRequest
from components.predict.workers import map_side_by_side

LOG = logging.getLogger(__name__)

WORK = ".work/"
"""Prefix of finished blocks in a folder of maps; those of a bucket are kept in ``var/maps``."""

_WORK_OF_BUCKETS = Path("var/maps")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapSummary:
    """Numbers of a map, for people.

    Attributes:
        id: Id of the map.
        page: Path or URI of its web page.
        model: The model in words.
        simulated: True for the rehearsal world.
        km2: Ground with data, square kilometres.
        task: What the map shows.
        found: Its objects in words and numbers.
        seconds: Time that it took; None if the map was there.
    """

    id: str
    page: str
    model: str
    simulated: bool
    km2: float
    task: TaskName
    found: str
    seconds: float | None

    @property
    def text(self) -> str:
        """Return the summary in two lines."""
        took = "was there already" if self.seconds is None else f"{self.seconds:.1f} s"
        note = "SIMULATED, " if self.simulated else ""
        return f"{self.id}: {note}{self.km2:.3f} km2, {self.found}, {took}; {self.model}\n  {self.page}"


def map_all(
    requests: Sequence[MapRequest],
    out: str,
    *,
    fallback: str | None = None,
    changes: bool = True,
    outlines: bool = False,
) -> list[MapSummary]:
    """Make a map of each request, then compare each; one that fails does not keep the others from it.

    Args:
        requests: The maps, all by one model.
        out: Folder or ``s3://`` URI: a STAC catalogue, which the maps are added to.
        fallback: Model to map with where the requests' one is missing.
        changes: True to compare each map with the last earlier one of its ground in ``out``, if there is one.
        outlines: True if the user asked for a kind of outlines, which only maps of buildings have.

    Raises:
        StormsightError: What failed, after the others were made.
    """
    store = open_objects(out)
    requests, model = _with_model(requests, fallback)
    if outlines and (task := model.net.config.task) != "buildings":
        raise ParameterError(
            f"--outlines has no effect: {model.words} maps {task}, which have no outlines",
            next_step="leave it out",
        )
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
    if changes:
        failures += _compare(made, store, geopackage=requests[0].rules.parameters.gpkg)
    if failures:
        first = failures[0]
        more = f"; and {len(failures) - 1} more, see above" if len(failures) > 1 else ""
        raise type(first)(first.message + more, next_step=first.next_step)
    return made


def _compare(made: Sequence[MapSummary], store: ObjectStore, *, geopackage: bool) -> list[StormsightError]:
    """Compare maps of buildings with the last earlier ones of their ground; return what failed.

    Changes are printed. Maps of roads are passed over, which is told.
    """
    comparer = MapComparer(store, prefix="", geopackage=geopackage)
    failures: list[StormsightError] = []
    for one in made:
        if one.task != "buildings":
            LOG.info("map %s: maps of %s are not compared with earlier ones", one.id, one.task)
            continue
        try:
            found = comparer.compare(one.id)
        except StormsightError as error:
            words = f"the map {one.id} is there, but its changes could not be made: {error.message}"
            failures.append(
                type(error)(words, next_step=f"{error.next_step}; or leave them out: --no-changes")
            )
            if len(made) > 1:
                LOG.error("%s", words)
        else:
            if found is not None:
                print(f"{one.id}: changes {found.words}\n  {found.page}")  # noqa: T201
    return failures


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
    opened, catalogue = request.open(model), Catalogue(store, prefix="")
    if catalogue.has(opened.id):
        _announce(store, opened.id, model)  # in case a try was killed before it
        return summary_of(store, opened.id, model, None)
    work = store if isinstance(store, FolderObjects) else FolderObjects(_WORK_OF_BUCKETS)
    prefix = f"{WORK}{opened.id}/"
    try:
        _make(request, opened, work, prefix, catalogue)
    except MissingInputError:
        # Whoever publishes a map removes its blocks under the hands of the others.
        if not catalogue.has(opened.id):
            raise
        LOG.info("map %s was published by another process", opened.id)
    catalogue.rebuild()
    _announce(store, opened.id, model)
    for info in work.list(prefix):
        work.delete(info.key)
    return summary_of(store, opened.id, model, perf_counter() - start)


def _announce(store: ObjectStore, map_id: str, model: ServedModel) -> None:
    """Put a page where the page of a map of buildings looks for its changes."""
    if model.net.config.task == "buildings":
        MapComparer(store, prefix="").announce(map_id)


def _make(
    request: MapRequest, opened: SceneMap, work: ObjectStore, prefix: str, catalogue: Catalogue
) -> None:
    """Map the missing blocks, write the files, and publish them."""
    map_side_by_side(request, opened, work, prefix)
    with scratch_folder("map") as folder:
        item = opened.finish(work, prefix, folder / opened.id)
        files = {path.name: path for path in (folder / opened.id).iterdir()}
        if not catalogue.add_map(item, files, opened.id, acquisition=opened.name):
            LOG.info("map %s was published by another process", opened.id)


def _found(properties: Mapping[str, Any]) -> str:
    """Return the numbers of a map's objects in words, from the properties of its item."""
    if properties.get(TASK) == "roads":
        roads, km = int(properties["stormsight:roads"]), float(properties["stormsight:road_km"])
        return f"{km:.2f} km of roads in {roads} sections"
    return f"{int(properties['stormsight:buildings'])} buildings"


def summary_of(store: ObjectStore, map_id: str, model: ServedModel, seconds: float | None) -> MapSummary:
    """Return the summary of a map of the catalogue in ``store``, from its STAC item.

    Raises:
        BadDataError: If the item is not what was published.
    """
    key = placed(map_item_key(map_id), "")
    place = f"{store.uri}/{key}".removeprefix("file://")
    try:
        item = read_item(get_bounded(store, key), name=place)
        properties, page = item["properties"], item["assets"]["page"]["href"]
        return MapSummary(
            id=map_id,
            page=place.removesuffix(ITEM) + page.removeprefix("./"),
            model=model.words,
            simulated=bool(properties["stormsight:simulated"]),
            km2=float(properties["stormsight:mapped_km2"]),
            task=task_of(item),
            found=_found(properties),
            seconds=seconds,
        )
    except (BadDataError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadDataError(
            error.message if isinstance(error, BadDataError) else f"{place} is no item of a map",
            next_step="remove it and run the same command again, which makes the map anew",
        ) from error
