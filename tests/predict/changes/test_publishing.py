"""Changes published beside a map: once, atomically, linked from its item and its page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import geopandas
import pystac
import pytest

from components.contract.errors import BadDataError
from components.lib.catalogue.changes import MapChanges
from components.lib.catalogue.documents import read_item
from components.lib.objects.folder import FolderObjects
from components.predict.changes.publishing import MapComparer
from tests.pages import foreign_resources, links
from tests.predict.changes.published import houses, later_houses, publish
from tests.predict.outputs.examples import facts
from tests.stac import validate


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with maps of June and of later, the later one compared."""
    found = tmp_path_factory.mktemp("changes") / "maps"
    publish(found, "june", houses(), 5)
    publish(found, "later", later_houses(), 25)
    comparer(found).announce("later")
    assert comparer(found).compare("later") is not None
    return found


def comparer(root: Path) -> MapComparer:
    return MapComparer(FolderObjects(root), prefix="", geopackage=True)


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_the_changes_are_an_item_with_its_files(root: Path) -> None:
    path = root / "items/later/changes/item.json"
    item = read_item(path.read_bytes(), name="changes")
    assert validate(item) == []
    properties = item["properties"]
    assert properties["stormsight:changes"] == {"added": 1, "removed": 1, "enlarged": 1, "unobserved": 0}
    assert properties["stormsight:before"]["map"] == "june"
    assert properties["stormsight:same_model"] is True
    assert (properties["start_datetime"], properties["end_datetime"]) == (
        "2030-06-05T10:30:00Z",
        "2030-06-25T10:30:00Z",
    )
    assert set(item["assets"]) == {
        *("changes", "changes-gpkg", "changes-tiles", "before-tiles", "after-tiles", "page")
    }
    table = geopandas.read_parquet(path.parent / item["assets"]["changes"]["href"])
    assert sorted(table["kind"]) == ["added", "enlarged", "removed"]
    sources = [link["href"] for link in item["links"] if link["rel"] == "derived_from"]
    assert sources == ["../item.json", "../../june/item.json"]


def test_map_and_changes_lead_to_each_other(root: Path) -> None:
    item = pystac.Item.from_file(str(root / "items/later/item.json"))
    read_item((root / "items/later/item.json").read_bytes(), name="later")  # the seal holds
    (related,) = [link for link in item.links if link.rel == "related"]
    assert related.title == "Building changes since 5 June 2030"
    assert Path(str(related.get_absolute_href())).name == "item.json"
    assert Path(str(related.get_absolute_href())).parent.name == "changes"
    pages = {path.parent.name: path for path in (root / "items/later").glob("*/index.html")}
    notice = pages.pop("changes")
    (of_map,) = pages.values()
    assert "../changes/index.html" in links(of_map.read_text())
    assert followed(of_map, "../changes/index.html") == notice.resolve()
    text = notice.read_text()
    assert "1 added, 1 removed, 1 enlarged" in text
    assert foreign_resources(text) == []
    (target,) = re.findall(r'content="0; url=([^"]*)"', text)
    changes = followed(notice, target)
    back = [followed(changes, link) for link in links(changes.read_text()) if link.startswith("../")]
    assert back == [next((root / "items/june").glob("*/index.html")).resolve(), of_map.resolve()]


def followed(page: Path, link: str) -> Path:
    found = (page.parent / link).resolve()
    assert found.is_file(), link
    return found


def test_the_same_comparison_again_changes_no_byte(root: Path) -> None:
    before = contents(root)
    assert comparer(root).compare("later") is not None
    assert contents(root) == before


def test_a_comparison_that_is_made_anew_has_the_same_bytes(root: Path, tmp_path: Path) -> None:
    again = tmp_path / "maps"
    FolderObjects(again)
    for name, content in contents(root).items():
        if "/changes/" not in name:
            (again / name).parent.mkdir(parents=True, exist_ok=True)
            (again / name).write_bytes(content)
    comparer(again).compare("later")
    assert contents(again) == contents(root)


def test_what_a_killed_process_left_out_is_added(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = tmp_path / "maps"
    publish(again, "june", houses(), 5)
    publish(again, "later", later_houses(), 25)

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MapChanges, "link_map", kill)
        with pytest.raises(KeyboardInterrupt):
            comparer(again).compare("later")
    comparer(again).compare("later")
    assert contents(again) == contents(root)


def test_without_an_earlier_map_the_page_says_so(root: Path) -> None:
    assert comparer(root).compare("june") is None
    notice = root / "items/june/changes/index.html"
    assert "No earlier map shows this ground" in notice.read_text()
    assert followed(notice, links(notice.read_text())[0]).name == "index.html"
    assert not (notice.parent / "item.json").exists()


def test_another_model_is_told_and_a_broken_earlier_map_leaves_the_new_one(tmp_path: Path) -> None:
    root = tmp_path / "maps"
    publish(root, "june", houses(), 5, model=replace(facts().model, version="2"))
    later = Path(publish(root, "later", later_houses(), 25))
    item = (later / "item.json").read_bytes()
    footprints = next((root / "items/june").rglob("footprints.parquet"))
    content = footprints.read_bytes()
    footprints.write_bytes(content[:-1])
    with pytest.raises(BadDataError, match=r"footprints\.parquet"):
        comparer(root).compare("later")
    assert (later / "item.json").read_bytes() == item
    assert not (later / "changes/item.json").exists()
    footprints.write_bytes(content)
    found = comparer(root).compare("later")
    assert found is not None
    assert not found.same_model
    assert found.words.endswith("by another model, whose differences show as changes, too")
    assert "Two models." in Path(found.page).read_text()
    assert (
        json.loads((later / "changes/item.json").read_text())["properties"]["stormsight:same_model"] is False
    )
