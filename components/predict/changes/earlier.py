"""Search for the map that a new one is compared with: the last earlier one of the same ground."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import shapely
import shapely.geometry
from shapely.geometry.base import BaseGeometry

from components.contract.errors import BadDataError, MissingInputError
from components.lib.catalogue.documents import Document
from components.lib.catalogue.entries import MapEntry, entry_of
from components.lib.catalogue.maps import Catalogue
from components.lib.foreign import judged

LOG = logging.getLogger(__name__)

LEAST_SHARED: Final = 0.1
"""Share of the smaller map that both must show: strips that touch along an edge are two places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapPair:
    """A map and the last earlier one of its ground.

    Attributes:
        before: STAC item of the earlier map.
        after: STAC item of the later map.
        shared: Outline of the common ground, EPSG:4326.
    """

    before: Document
    after: Document
    shared: BaseGeometry


def find_pair(
    catalogue: Catalogue, maps: Sequence[MapEntry], map_id: str, withdrawn: Collection[str] = ()
) -> MapPair | None:
    """Return a map with the one that it is to be compared with; None if no earlier map shows its ground.

    Of the maps of buildings of other acquisitions that begin earlier and share a tenth of the smaller
    outline, the one of the latest acquisition is taken; of several maps of that, the one by the same version
    of the model, else the one made last. Maps whose time of acquisition is unknown are compared with none.

    Args:
        catalogue: Catalogue of both.
        maps: Its maps, which the earlier one is looked for among.
        map_id: The later map.
        withdrawn: Acquisitions whose maps are left out.

    Raises:
        MissingInputError: If there is no such map.
        BadDataError: If its item is damaged.
    """
    after = catalogue.item(map_id)
    own, outline = entry_of(after), _outline_of(after)
    begin = _begin_of(own)
    if begin is None or outline is None or own.bbox is None:
        return None

    def rank(entry: MapEntry) -> tuple[datetime, bool, str, str]:
        same_model = (entry.model, entry.version) == (own.model, own.version)
        return _time(entry.time), same_model, entry.created, entry.id

    box = shapely.box(*own.bbox)
    near = [
        entry
        for entry in maps
        if entry.task == own.task
        and entry.acquisition != own.acquisition
        and entry.acquisition not in withdrawn
        and entry.bbox is not None
        and shapely.box(*entry.bbox).intersects(box)
        and (other := _begin_of(entry)) is not None
        and other < begin
    ]
    for entry in sorted(near, key=rank, reverse=True):
        before = _readable(catalogue, entry.id)
        shared = None if before is None else _shared(_outline_of(before), outline)
        if before is not None and shared is not None:
            return MapPair(before=before, after=after, shared=shared)
    return None


def _readable(catalogue: Catalogue, map_id: str) -> Document | None:
    """Return the item of a map that documents link to; None, told, if it is gone or damaged."""
    try:
        return catalogue.item(map_id)
    except (BadDataError, MissingInputError) as error:
        LOG.warning("map %s is compared with none: %s", map_id, error.message)
        return None


def _shared(first: BaseGeometry | None, second: BaseGeometry) -> BaseGeometry | None:
    """Return the common ground of two outlines if it is enough to compare them."""
    if first is None:
        return None
    shared: BaseGeometry = first.intersection(second)
    return shared if shared.area > LEAST_SHARED * min(first.area, second.area) else None


def _outline_of(item: Document) -> BaseGeometry | None:
    geometry = item.get("geometry")
    if geometry is None:
        return None
    with judged(f"the item of map {item.get('id')}", next_step="make the map again"):
        return shapely.geometry.shape(geometry)


def _begin_of(entry: MapEntry) -> datetime | None:
    """Return the begin of the acquisition; None if it is unknown: such a map has the time it was made."""
    return None if not entry.time or entry.time == entry.created else _time(entry.time)


def _time(text: str) -> datetime:
    """Return a time; the end of all times, which no map precedes, where the text is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
