"""Maps in the catalogue: created once, documents made anew from what is there, in folders and on S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pystac
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.keys import MAPS_CATALOG, MAPS_COLLECTION, map_item_key, map_month_key, map_prefix
from components.lib.catalogue.documents import read_item
from components.lib.catalogue.maps import Catalogue
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import ObjectStore
from tests.lib.catalogue.maps import made_map
from tests.stac import validate


def document(store: ObjectStore, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.get(key))
    return found


def add(catalogue: Catalogue, tmp_path: Path, map_id: str, **facts: Any) -> bool:
    item, files = made_map(tmp_path / f"made-{map_id}", **facts)
    return catalogue.add_map(item, files, map_id)


def test_a_map_is_published_with_its_files_and_documents(store: ObjectStore, tmp_path: Path) -> None:
    catalogue = Catalogue(store)
    item, files = made_map(tmp_path / "made")
    model = f"{store.uri}/maps/models/stormsight-sar/1/item.json"
    item["links"] = [
        {"rel": "derived_from", "href": model},
        {"rel": "self", "href": "https://elsewhere"},
        {"rel": "via", "href": "file:///home/someone/item.json"},
    ]
    assert catalogue.add_map(json.dumps(item).encode(), files, "map-1", acquisition="acq-1")
    assert catalogue.has("map-1")
    assert catalogue.rebuild() == 1
    published = document(store, map_item_key("map-1"))
    read_item(json.dumps(published).encode(), name="it")
    for key in (map_item_key("map-1"), "maps/catalog.json", "maps/collection.json", map_month_key("2026-11")):
        assert validate(document(store, key)) == [], key
    href = published["assets"]["probability"]["href"].removeprefix("./")
    assert store.get(map_prefix("map-1") + href) == b"probabilities"
    links = {link["rel"]: link["href"] for link in published["links"]}
    assert links["derived_from"] == "../../models/stormsight-sar/1/item.json"
    assert not {"self", "via"} & set(links)
    assert all(json.loads(store.get(key))["title"] for key in (MAPS_CATALOG, MAPS_COLLECTION))
    assert published["properties"]["stormsight:acquisition"] == "acq-1"
    assert [entry.id for entry in catalogue.maps()] == ["map-1"]


def test_any_stac_client_finds_all_maps_by_relative_links(tmp_path: Path) -> None:
    catalogue = Catalogue(FolderObjects(tmp_path / "store"))
    for number, month in enumerate(("2026-10", "2026-11", "2026-11")):
        add(catalogue, tmp_path, f"map-{number}", scene=f"scene-{number}", month=month)
    catalogue.rebuild()
    (tmp_path / "store").rename(tmp_path / "copied")
    root = pystac.Catalog.from_file(str(tmp_path / "copied" / "maps" / "catalog.json"))
    found = sorted(root.get_items(recursive=True), key=lambda item: item.id)
    assert [item.id for item in found] == ["map-0", "map-1", "map-2"]
    assert [collection.id for collection in root.get_children()] == ["maps"]
    for item in found:
        assert Path(item.assets["probability"].get_absolute_href() or "").read_text() == "probabilities"
        parent = item.get_parent()
        assert parent is not None
        assert parent.id == f"maps-{item.get_datetime():%Y-%m}"


def test_a_second_mapper_of_the_same_map_learns_it_and_leaves_nothing(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Catalogue(store), Catalogue(store)
    assert add(first, tmp_path, "map-1")
    before = [(info.key, info.version) for info in store.list()]
    assert not add(second, tmp_path, "map-1", content="other")
    exists, asked = type(store).exists, list[str]()

    def saw_none(self: ObjectStore, key: str) -> bool:
        asked.append(key)
        return len(asked) > 1 and exists(self, key)

    monkeypatch.setattr(type(store), "exists", saw_none)  # both looked before one of them wrote
    assert not add(second, tmp_path, "map-1", content="other")
    assert asked
    assert [(info.key, info.version) for info in store.list()] == before


def test_what_a_killed_mapper_left_is_no_map_and_is_completed_by_the_next(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = Catalogue(store)
    with monkeypatch.context() as patched:
        patched.setattr(type(store), "create", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            add(catalogue, tmp_path, "map-1")
    assert catalogue.rebuild() == 0
    assert add(catalogue, tmp_path, "map-1")
    assert catalogue.rebuild() == 1


def test_a_lost_update_is_mended_by_the_next(store: ObjectStore, tmp_path: Path) -> None:
    catalogue = Catalogue(store)
    for number in range(2):
        add(catalogue, tmp_path, f"map-{number}", scene=f"scene-{number}")
        catalogue.rebuild()
    month = map_month_key("2026-11")
    store.put(month, b"{damaged")
    store.delete("maps/catalog.json")
    assert catalogue.rebuild() == 2
    assert [entry.id for entry in catalogue.maps()] == ["map-0", "map-1"]
    assert validate(document(store, "maps/catalog.json")) == []
    before = [(info.key, info.version) for info in store.list() if info.key != "maps/catalog.json"]
    catalogue.rebuild(whole=True)
    assert before == [(i.key, i.version) for i in store.list() if i.key != "maps/catalog.json"]


def test_the_slower_of_two_writers_leaves_the_present_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderObjects(tmp_path / "store")
    slow, fast = Catalogue(store), Catalogue(store)
    add(slow, tmp_path, "map-0", scene="scene-0")
    put = FolderObjects.put

    def after_another_one(self: FolderObjects, key: str, content: bytes) -> None:
        monkeypatch.setattr(FolderObjects, "put", put)
        add(fast, tmp_path, "map-1", scene="scene-1")
        fast.rebuild()
        put(self, key, content)  # the state before: map-1 is lost for a moment

    monkeypatch.setattr(FolderObjects, "put", after_another_one)
    assert slow.rebuild() == 2
    assert [entry.id for entry in fast.maps()] == ["map-0", "map-1"]


def test_a_damaged_item_stops_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FolderObjects(tmp_path / "store")
    catalogue = Catalogue(store)
    add(catalogue, tmp_path, "map-1")
    store.put(map_item_key("map-0"), b"[]")
    assert catalogue.rebuild() == 1
    assert "maps/items/map-0/item.json is no item of a model or map" in caplog.text


def test_maps_of_roads_lie_beside_those_of_buildings(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path / "store")
    catalogue = Catalogue(store)
    add(catalogue, tmp_path, "map-1", created="2026-11-01T00:00:00Z")
    catalogue.rebuild()
    assert b'"task"' not in store.get(map_month_key("2026-11"))
    assert document(store, MAPS_COLLECTION)["title"] == "Maps of buildings"
    add(catalogue, tmp_path, "map-2", created="2026-11-02T00:00:00Z", task="roads")
    catalogue.rebuild()
    assert {entry.id: entry.task for entry in catalogue.maps()} == {"map-1": "buildings", "map-2": "roads"}
    assert document(store, MAPS_COLLECTION)["description"].startswith("1 maps of buildings")
    assert {name: entry.id for name, entry in catalogue.latest().items()} == {"scene-1": "map-1"}


def test_the_map_that_counts_is_the_present_champions(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path / "store")
    catalogue = Catalogue(store)
    add(catalogue, tmp_path, "by-1", version="1", created="2026-11-01T00:00:00Z")
    add(catalogue, tmp_path, "by-2", version="2", created="2026-11-02T00:00:00Z")
    catalogue.rebuild()
    assert {name: entry.id for name, entry in catalogue.latest().items()} == {"scene-1": "by-2"}
    champion = json.dumps({"stormsight:champion": "1"}).encode()
    store.put("maps/models/stormsight-sar/collection.json", champion)  # as after a rollback
    assert {name: entry.id for name, entry in catalogue.latest().items()} == {"scene-1": "by-1"}


def test_wrong_items_files_and_ids_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path / "store")
    catalogue = Catalogue(store)
    item, files = made_map(tmp_path / "made")
    with pytest.raises(ParameterError, match=r"map m: its item names the file '\./probability\.tif'"):
        catalogue.add_map(item, {}, "m")
    with pytest.raises(ParameterError, match="is no id of a map"):
        catalogue.add_map(item, files, "../m")
    with pytest.raises(BadDataError, match="the item of map m is no item of a model or map"):
        catalogue.add_map(b"{}", files, "m")
    files["probability.tif"].write_text("changed since")
    with pytest.raises(BadDataError, match=r"map m: probability\.tif is not the file whose SHA-256"):
        catalogue.add_map(item, files, "m")
    assert store.list() == []
    with pytest.raises(MissingInputError):
        store.get(map_item_key("m"))


def test_a_folder_can_be_the_catalogue_itself(tmp_path: Path) -> None:
    catalogue = Catalogue(FolderObjects(tmp_path / "out"), prefix="")
    assert add(catalogue, tmp_path, "map-1")
    assert catalogue.rebuild() == 1
    root = pystac.Catalog.from_file(str(tmp_path / "out" / "catalog.json"))
    assert [item.id for item in root.get_items(recursive=True)] == ["map-1"]
