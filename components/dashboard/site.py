"""Site: every page, chart and picture by its address, made when it is asked for.

An address is looked up among those that there are, never joined to a path, so nothing else can be reached.
Names from outside become addresses by :func:`~components.dashboard.words.slug`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import cached_property

from components.contract.errors import StormsightError
from components.dashboard.charts import THEMES, WIDTHS, Chart
from components.dashboard.drawing import Drawer
from components.dashboard.index import Index
from components.dashboard.pages import PAGE_RUNS, Pages, page_number
from components.dashboard.pictures import changes_picture, no_picture, tile_picture
from components.dashboard.snapshot import Snapshot
from components.dashboard.templating import STYLE

LOG = logging.getLogger(__name__)

SVG, PNG, HTML, CSS = "image/svg+xml", "image/png", "text/html; charset=utf-8", "text/css; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Resource:
    """Answer to an address.

    Attributes:
        content: Bytes of the page or picture.
        media_type: Its type, as HTTP names it.
    """

    content: bytes
    media_type: str


class Site:
    """Pages of one snapshot.

    Args:
        snapshot: Facts to show.
        drawer: Drawer of charts, shared by the sites of later snapshots.
    """

    def __init__(self, snapshot: Snapshot, drawer: Drawer) -> None:
        self.snapshot = snapshot
        self._drawer = drawer
        self._index = Index(snapshot)
        self._pages = Pages(snapshot, self._index)
        self._made: dict[str, Resource] = {}

    def resource(self, address: str) -> Resource | None:
        """Return what lies at an address, None if nothing does.

        Args:
            address: Relative to the site, such as ``run/checkout.html``; empty for the first page.
        """
        address = address or "index.html"
        if address in self._made:
            return self._made[address]
        make = self._maker(address)
        if make is None:
            return None
        made = make()
        if not address.startswith("pictures/"):  # they may be many, and large
            self._made[address] = made
        return made

    def not_found(self, address: str) -> Resource:
        """Return the page for an address that nothing lies at; its links lead from there."""
        return _text(self._pages.not_found(address), HTML)

    def addresses(self) -> Iterator[str]:
        """Yield all addresses, those of pages first."""
        yield from self._fixed
        for kind, names in (("run", self._index.runs), ("model", self._index.models)):
            yield from (f"{kind}/{name}.html" for name in names)
        yield from (f"map/{name}.html" for name in self._index.maps)
        for name in self._index.charts:
            yield from (f"charts/{name}-{theme}-{width}.svg" for theme in THEMES for width in WIDTHS)
        yield from (f"pictures/tile-{number}.png" for number in range(len(self._index.tiles)))
        for name in self._index.maps:
            yield f"pictures/map-{name}.png"
            if self._index.has_changes(name):
                yield f"pictures/changes-{name}.svg"

    @cached_property
    def _fixed(self) -> dict[str, Callable[[], str]]:
        pages = self._pages
        found: dict[str, Callable[[], str]] = {
            "index.html": pages.overview,
            "quality.html": pages.quality,
            "drift.html": pages.drift,
            "scores.html": pages.scores,
            "cost.html": pages.cost,
            "style.css": lambda: STYLE,
        }
        for name, many, page in (
            ("runs", len(self.snapshot.runs), pages.runs),
            ("maps", len(self._index.maps), pages.maps),
        ):
            for number in range(max(1, -(-many // PAGE_RUNS))):
                found[page_number(name, number)] = _numbered(page, number)
        return found

    def _maker(self, address: str) -> Callable[[], Resource] | None:
        """Return the function that makes what lies at an address."""
        if address in self._fixed:
            kind = CSS if address.endswith(".css") else HTML
            return lambda: _text(self._fixed[address](), kind)
        folder, _, file = address.partition("/")
        name, _, suffix = file.rpartition(".")
        if folder in self._named and suffix == "html":
            names, page = self._named[folder]
            return (lambda: _text(page(name), HTML)) if name in names else None
        if folder == "charts" and suffix == "svg":
            return self._chart(name)
        return self._picture(file) if folder == "pictures" else None

    @cached_property
    def _named(self) -> dict[str, tuple[Container[str], Callable[[str], str]]]:
        """Names of pages about one thing, and the function that makes them, by folder."""
        return {
            "run": (self._index.runs, self._pages.run),
            "model": (self._index.models, self._pages.model),
            "map": (self._index.maps, self._pages.map),
        }

    def _chart(self, name: str) -> Callable[[], Resource] | None:
        stem, _, form = name.rpartition("-")
        known, _, theme = stem.rpartition("-")
        chart: Chart | None = self._index.charts.get(known)
        if chart is None or theme not in THEMES or form not in WIDTHS:
            return None
        return lambda: _drawn(lambda: self._drawer.draw(chart.spec(theme, form)), SVG)

    def _picture(self, file: str) -> Callable[[], Resource] | None:
        kind, _, rest = file.partition("-")
        name, _, suffix = rest.rpartition(".")
        if kind == "tile" and suffix == "png" and name in self._index.tiles:
            tile = self._index.tiles[name]
            return lambda: _drawn(lambda: tile_picture(tile), PNG)
        known = self._index.maps.get(name)
        if known is not None and kind == "map" and suffix == "png":
            return lambda: _drawn(known.thumbnail, PNG)
        if known is not None and kind == "changes" and suffix == "svg":
            return lambda: _drawn(lambda: changes_picture(known.changes_table()), SVG)
        return None


def _numbered(page: Callable[[int], str], number: int) -> Callable[[], str]:
    return lambda: page(number)


def _text(text: str, media_type: str) -> Resource:
    """Return text as UTF-8; half a character, which JSON may hold, becomes a question mark."""
    return Resource(text.encode(errors="replace"), media_type)


def _drawn(make: Callable[[], bytes], media_type: str) -> Resource:
    """Return a picture; one that says so where it cannot be made, for a page must not fail for it."""
    try:
        return Resource(make(), media_type)
    except (StormsightError, ValueError) as error:  # the latter of charts: their data came from outside
        LOG.info("no picture: %s", error)
        return Resource(no_picture(vector=media_type == SVG), media_type)
