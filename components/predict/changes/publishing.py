"""Comparison of a published map with the last earlier one of its ground, published beside the map."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from components.contract.errors import BadDataError
from components.contract.keys import MAPS, map_prefix
from components.contract.temporary import scratch_folder
from components.lib.catalogue.changes import MapChanges
from components.lib.catalogue.documents import Document
from components.lib.catalogue.entries import MapEntry
from components.lib.catalogue.maps import Catalogue
from components.lib.catalogue.root import placed
from components.lib.change.footprints.rules import FootprintRules
from components.lib.foreign import judged
from components.lib.objects.protocol import ObjectStore
from components.predict.changes.earlier import MapPair, find_pair
from components.predict.changes.item import changes_item
from components.predict.changes.making import counts_in_words, write_changes
from components.predict.changes.notice import NO_EARLIER, PENDING, write_notice
from components.predict.changes.opening import open_published, require_buildings
from components.predict.changes.page import day_in_words

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Published changes of a map, in numbers and words.

    Attributes:
        map: Id of the map.
        before: Id of the earlier map that it was compared with.
        since: Day of the earlier acquisition, in words.
        counts: Number of changes by kind.
        unobserved: Changes left out, as one map has no data there.
        same_model: True if one version of one model made both maps.
        simulated: True if a map is of the rehearsal world.
        page: Path or URI of the web page.
    """

    map: str
    before: str
    since: str
    counts: dict[str, int]
    unobserved: int
    same_model: bool
    simulated: bool
    page: str

    @property
    def words(self) -> str:
        """Return the comparison in one line."""
        note = "SIMULATED, " if self.simulated else ""
        other = "" if self.same_model else "; by another model, whose differences show as changes, too"
        found = counts_in_words(self.counts, self.unobserved)
        return f"since {self.since} ({self.before}): {note}{found}{other}"


class MapComparer:
    """Comparer of the maps of one catalogue.

    Args:
        objects: The store of the catalogue.
        prefix: Prefix of the catalogue; empty for the store's root.
        geopackage: True to write a GeoPackage, too.
        rules: Thresholds of the comparison.
    """

    def __init__(
        self,
        objects: ObjectStore,
        prefix: str = MAPS,
        *,
        geopackage: bool = False,
        rules: FootprintRules | None = None,
    ) -> None:
        self._objects = objects
        self._prefix = prefix
        self._catalogue = Catalogue(objects, prefix)
        self._changes = MapChanges(objects, prefix)
        self._geopackage = geopackage
        self._rules = rules or FootprintRules()

    @cached_property
    def _maps(self) -> list[MapEntry]:
        """Maps of the catalogue when the first one is compared: all that are compared are among them."""
        return self._catalogue.maps()

    def announce(self, map_id: str) -> None:
        """Put a page where the page of a new map looks for its changes: they are not made yet."""
        write_notice(self._changes, self._catalogue.item(map_id), PENDING, only_first=True)

    def compare(self, map_id: str, withdrawn: Collection[str] = ()) -> Comparison | None:
        """Compare a map with the last earlier one of its ground, once, and publish the changes beside it.

        A map that has its changes keeps them, whatever was published since; what a killed process left out
        (the link of the map's item, the page at the fixed address) is added.

        Args:
            map_id: The map.
            withdrawn: Acquisitions whose maps it is not compared with.

        Returns:
            The comparison; None if no earlier map shows the ground.

        Raises:
            MissingInputError: If there is no such map, or a file of the earlier one is missing.
            ParameterError: If it is not one of buildings.
            BadDataError: If a map is damaged.
            ResourceError: If the disk is full, or the tiles cannot be made.
            SourceUnavailableError: If the store does not answer.
        """
        item = self._changes.item(map_id) or self._made(map_id, withdrawn)
        if item is None:
            LOG.info("map %s: no earlier map of its ground", map_id)
            write_notice(self._changes, self._catalogue.item(map_id), NO_EARLIER)
            return None
        found = self._comparison(map_id, item)
        self._changes.link_map(map_id, f"Building changes since {found.since}")
        write_notice(self._changes, self._catalogue.item(map_id), f"Changes {found.words}.", of=item)
        return found

    def _made(self, map_id: str, withdrawn: Collection[str]) -> Document | None:
        """Compare and publish; return the item that stands, this process's or another's."""
        require_buildings(self._catalogue.item(map_id))
        pair = find_pair(self._catalogue, self._maps, map_id, withdrawn)
        if pair is None:
            return None
        before = str(pair.before["id"])
        LOG.info("compare map %s with the earlier map %s", map_id, before)
        with scratch_folder("changes") as folder:
            maps = {
                name: open_published(self._objects, self._folder(one), folder / name)
                for name, one in (("before", before), ("after", map_id))
            }
            out = folder / "out"
            out.mkdir()
            found = write_changes(
                out,
                maps["before"],
                maps["after"],
                self._rules,
                geopackage=_created(pair.after) if self._geopackage else None,
                pages=self._pages(pair),
            )
            item = changes_item(out, pair, maps["before"], maps["after"], found, rules=self._rules)
            files = {path.name: path for path in out.iterdir()}
            if not self._changes.add(item, files, map_id, before):
                LOG.info("the changes of map %s were published by another process", map_id)
        return self._changes.item(map_id)

    def _pages(self, pair: MapPair) -> dict[str, str | None]:
        """Return the addresses of the maps' pages, relative to the folder of the changes' files."""
        of = f"{self._changes.folder(str(pair.after['id']))}folder/index.html"
        return {
            "before": self._changes.page_address(pair.before, of=of),
            "after": self._changes.page_address(pair.after, of=of),
        }

    def _folder(self, map_id: str) -> str:
        prefix = f"{self._prefix.strip('/')}/" if self._prefix.strip("/") else ""
        return placed(map_prefix(map_id), prefix)

    def _comparison(self, map_id: str, item: Document) -> Comparison:
        properties, place = item["properties"], f"{self._objects.uri}/{self._changes.folder(map_id)}"
        with judged(f"{place}item.json", next_step="remove it, and compare the map again"):
            counts = dict(properties["stormsight:changes"])
            return Comparison(
                map=map_id,
                before=str(properties["stormsight:before"]["map"]),
                since=day_in_words(datetime.fromisoformat(properties["start_datetime"])),
                unobserved=int(counts.pop("unobserved")),
                counts={kind: int(counts[kind]) for kind in ("added", "removed", "enlarged")},
                same_model=bool(properties["stormsight:same_model"]),
                simulated=bool(properties["stormsight:simulated"]),
                page=f"{place}{item['assets']['page']['href'].removeprefix('./')}".removeprefix("file://"),
            )


def _created(item: Document) -> datetime:
    """Return the time at which a map was made: a GeoPackage states one, which must not differ by the try."""
    try:
        return datetime.fromisoformat(item["properties"]["created"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadDataError(
            f"map {item['id']} does not say when it was made", next_step="make the map again"
        ) from error
