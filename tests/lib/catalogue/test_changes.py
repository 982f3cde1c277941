"""Changes in the catalogue: created once beside their map, which gets one more link."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError
from components.contract.hashing import sha256_file
from components.contract.keys import MAP_ITEMS, map_item_key
from components.lib.catalogue.changes import MapChanges
from components.lib.catalogue.documents import SHA256_MULTIHASH, read_item
from components.lib.catalogue.maps import Catalogue
from components.lib.objects.protocol import ObjectStore
from tests.lib.catalogue.maps import made_map


@pytest.fixture
def changes(store: ObjectStore, tmp_path: Path) -> MapChanges:
    """Changes of a catalogue with the map ``new``."""
    item, files = made_map(tmp_path / "map")
    Catalogue(store).add_map(item, files, "new")
    return MapChanges(store)


def made(folder: Path, content: str = "changes") -> tuple[dict[str, Any], dict[str, Path]]:
    """Write a file of changes; return an item and the file by name."""
    item, _ = made_map(folder)
    path = folder / "changes.parquet"
    path.write_text(content)
    asset = {"href": "./changes.parquet", "file:checksum": SHA256_MULTIHASH + sha256_file(path)}
    return {**item, "id": "new-changes", "assets": {"changes": asset}}, {path.name: path}


def test_changes_are_created_once(changes: MapChanges, store: ObjectStore, tmp_path: Path) -> None:
    assert changes.item("new") is None
    assert changes.add(*made(tmp_path / "one"), "new", "old")
    first = {info.key: store.get(info.key) for info in store.list(MAP_ITEMS)}
    assert not changes.add(*made(tmp_path / "two", "others"), "new", "old")
    assert {info.key: store.get(info.key) for info in store.list(MAP_ITEMS)} == first
    item = changes.item("new")
    assert item is not None
    file = f"{changes.folder('new')}{item['assets']['changes']['href'].removeprefix('./')}"
    assert store.get(file) == b"changes"
    assert [(link["rel"], link["href"]) for link in item["links"]] == [
        ("root", "../../../catalog.json"),
        ("derived_from", "../item.json"),
        ("derived_from", "../../old/item.json"),
    ]


def test_a_file_that_is_not_the_stated_one_is_refused(changes: MapChanges, tmp_path: Path) -> None:
    item, files = made(tmp_path / "one")
    files["changes.parquet"].write_text("torn")
    with pytest.raises(BadDataError, match=r"changes of new: changes\.parquet is not the file"):
        changes.add(item, files, "new", "old")
    assert changes.item("new") is None


def test_the_item_of_the_map_gets_one_link_that_its_seal_leaves_open(
    changes: MapChanges, store: ObjectStore, tmp_path: Path
) -> None:
    changes.add(*made(tmp_path / "one"), "new", "old")
    before = json.loads(store.get(map_item_key("new")))
    for _ in range(2):
        changes.link_map("new", "Building changes since May")
    item = read_item(store.get(map_item_key("new")), name="new")
    (added,) = [link for link in item["links"] if link not in before["links"]]
    assert (added["rel"], added["href"]) == ("related", "./changes/item.json")
    assert {**item, "links": before["links"]} == before
    Catalogue(store).rebuild(whole=True)
    assert [entry.id for entry in Catalogue(store).maps()] == ["new"]


def test_the_first_notice_replaces_none(changes: MapChanges, store: ObjectStore) -> None:
    key = f"{changes.folder('new')}index.html"
    changes.write_notice("new", "later", only_first=True)
    changes.write_notice("new", "made")
    changes.write_notice("new", "later", only_first=True)
    assert store.get(key) == b"made"
