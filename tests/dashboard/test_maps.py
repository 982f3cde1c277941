"""Maps: thumbnails, changes, and the way from a footprint to what it was made from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.contract.errors import BadDataError
from components.contract.keys import map_item_key
from components.dashboard.drawing import Drawer
from components.dashboard.maps import KnownMap
from components.dashboard.pictures import KINDS, changes_picture, no_picture
from components.dashboard.site import PNG, SVG, Site
from components.lib.catalogue.documents import sealed
from tests.dashboard.world import HOSTILE, World, publish_map, text
from tests.pages import links


def test_a_map_tells_model_data_parameters_code_and_image(site: Site) -> None:
    page = text(site, "map/map-1.html")
    for words in (
        "stormsight-sar version 1",
        "tile-0.tif",
        "and 2 more files",
        "7" * 64,
        "8" * 64,
        "train@sha256:1",
    ):
        assert words in page, words
    assert "simulated" in page
    assert HOSTILE not in page
    assert "1 added, 1 enlarged, 1 removed" in page


def test_from_a_map_to_what_its_model_was_trained_with_are_two_clicks(site: Site) -> None:
    assert "map/map-1.html" in links(text(site, "index.html")) + links(text(site, "maps.html"))
    assert "../model/stormsight-sar-1.html" in links(text(site, "map/map-1.html"))
    model = text(site, "model/stormsight-sar-1.html")
    for words in ("a1", "c" * 64, "d" * 64, "e" * 64):
        assert words in model, words
    assert "../map/map-1.html" in links(model)


def test_thumbnails_of_map_and_changes(site: Site) -> None:
    thumbnail, changes = site.resource("pictures/map-map-1.png"), site.resource("pictures/changes-map-1.svg")
    assert thumbnail is not None
    assert changes is not None
    assert (thumbnail.media_type, changes.media_type) == (PNG, SVG)
    assert thumbnail.content.startswith(b"\x89PNG")
    for page in ("index.html", "maps.html", "map/map-1.html"):
        assert "The largest part alone." in text(site, page), page
    drawn = changes.content.decode()
    assert drawn.count("<path") == 3
    assert all(colour in drawn for colour in KINDS.values())


@pytest.mark.parametrize("content", [b"", b"PAR1", b"<svg onload=alert(1)>"])
def test_a_damaged_table_of_changes_is_told(content: bytes) -> None:
    with pytest.raises(BadDataError, match="table of changes"):
        changes_picture(content)


def put_item(world: World, **assets: object) -> KnownMap:
    """Change the item of a map, sealed again: somebody else may have written it."""
    key = map_item_key("map-1")
    item = json.loads(world.objects.get(key))
    item["assets"] |= assets
    world.objects.put(key, json.dumps(sealed(item)).encode())
    return world.read().maps[0]


@pytest.mark.parametrize(
    "href", ["../../../ledger/x.json", "/etc/passwd", "https://elsewhere/x.png", "./a/../../x", "", "a\0b"]
)
def test_a_thumbnail_that_lies_elsewhere_is_not_read(empty: World, tmp_path: Path, href: str) -> None:
    publish_map(empty.objects, tmp_path / "made", changed=False)
    known = put_item(empty, thumbnail={"href": href})
    with pytest.raises(BadDataError, match="lies elsewhere"):
        known.thumbnail()


def test_a_thumbnail_that_is_no_png_is_not_handed_out(empty: World, drawer: Drawer, tmp_path: Path) -> None:
    publish_map(empty.objects, tmp_path / "made", changed=False)
    known = put_item(empty, thumbnail={"href": "./item.json"})
    with pytest.raises(BadDataError, match="no PNG"):
        known.thumbnail()
    shown = Site(empty.read(), drawer).resource("pictures/map-map-1.png")
    assert shown is not None
    assert shown.content == no_picture(vector=False)


def test_a_damaged_item_is_told_on_its_page_and_others_stay(
    empty: World, drawer: Drawer, tmp_path: Path
) -> None:
    publish_map(empty.objects, tmp_path / "made", "map-1")
    publish_map(empty.objects, tmp_path / "made", "map-2", changed=False)
    empty.objects.put(map_item_key("map-1"), b"{")
    site = Site(empty.read(), drawer)
    assert "is no STAC item" in text(site, "map/map-1.html") or "warn" in text(site, "map/map-1.html")
    assert "its item cannot be read" in text(site, "maps.html")
    assert "tile-0.tif" in text(site, "map/map-2.html")


def test_maps_of_make_map_lie_beside_those_of_the_store(empty: World, tmp_path: Path) -> None:
    publish_map(empty.objects, tmp_path / "made", changed=False)
    assert [known.place.name for known in empty.read().maps] == ["catalogue of the object store"]
