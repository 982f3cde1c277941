from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely
from rasterio.warp import transform_bounds

from components.lib.files import write_json
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.item import footprint, item_json, map_item
from components.predict.outputs.reading import summarise
from tests.predict.outputs.examples import CRS, GRID, facts
from tests.stac import validate


def item_of(folder: Path, about: MapFacts) -> dict[str, Any]:
    return item_json(map_item(folder, about, summarise(folder / "footprints.parquet")))


@pytest.mark.parametrize("modality", ["sar", "optical"])
def test_the_schemas_find_nothing(map_folder: Path, modality: Any) -> None:
    about = replace(facts(), scene=replace(facts().scene, modality=modality))
    item = item_of(map_folder, about)
    assert validate(item) == []
    assert any("/sar/" in uri for uri in item["stac_extensions"]) == (modality == "sar")


def test_a_scene_of_unknown_time_and_crs_is_valid(map_folder: Path) -> None:
    wkt = pytest.importorskip("pyproj").CRS(CRS).to_wkt()
    scene = replace(facts().scene, acquired=None, crs=wkt)
    item = item_of(map_folder, replace(facts(), scene=scene))
    assert validate(item) == []
    assert item["properties"]["proj:wkt2"] == wkt
    assert "time of the acquisition is unknown" in item["properties"]["description"]
    assert item["properties"]["datetime"] == item["properties"]["created"]


def test_it_states_where_the_map_comes_from(map_folder: Path) -> None:
    properties = item_of(map_folder, facts())["properties"]
    assert properties["stormsight:model"] == {
        "name": "stormsight-sar",
        "version": "3",
        "weights_sha256": "cd" * 32,
        "promoted": False,
        "simulated": True,
    }
    assert properties["stormsight:sources"] == [{"name": "strip.tif", "sha256": "ab" * 32}]
    assert properties["stormsight:simulated"] is True
    assert properties["processing:software"] == {"stormsight": "1a2b3c4"}
    assert (properties["proj:shape"], properties["version"]) == ([700, 600], "3")
    assert properties["stormsight:buildings"] == 40


def test_the_thumbnail_says_what_it_leaves_out(map_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thumbnail.png").write_bytes(b"")
    summary = summarise(map_folder / "footprints.parquet")
    for words in ("One part alone.", ""):
        item = item_json(map_item(tmp_path, facts(), summary, thumbnail_words=words))
        assert item["assets"]["thumbnail"].get("description", "") == words


def test_it_says_what_it_was_taken_for_and_a_folder_has_no_version(map_folder: Path) -> None:
    model = replace(facts().model, name="models/sar/none", version="")
    about = replace(facts(), model=model, statistics_of="simulated-airborne")
    item = item_of(map_folder, about)
    properties = item["properties"]
    assert validate(item) == []
    assert "made by models/sar/none, from capella-airborne. The model took" in properties["description"]
    assert properties["processing:lineage"].endswith("by models/sar/none")
    assert properties["stormsight:statistics_of"] == "simulated-airborne"
    own = item_of(map_folder, facts())["properties"]
    assert own["stormsight:statistics_of"] == "capella-airborne"
    assert "took" not in own["description"]


def test_the_footprint_is_longitude_before_latitude_and_covers_the_grid() -> None:
    outline = footprint(GRID, CRS)
    bounds = transform_bounds(CRS, "EPSG:4326", 593_000, 5_747_150, 593_300, 5_747_500)
    assert outline.bounds == pytest.approx(bounds, abs=2e-6)
    assert outline.exterior.is_ccw
    assert shapely.is_valid(outline)


def test_assets_are_the_files_that_are_there_with_their_hashes(map_folder: Path, tmp_path: Path) -> None:
    item = item_of(map_folder, facts())
    there = {"probability", "footprints", "footprints-tiles"}
    assert set(item["assets"]) - {"page"} == there  # tests of the page write theirs into this folder
    for asset in item["assets"].values():
        content = (map_folder / asset["href"]).read_bytes()
        assert asset["file:checksum"] == "1220" + hashlib.sha256(content).hexdigest()
        assert asset["file:size"] == len(content)
    write_json(tmp_path / "item.json", item)
    read = pystac.Item.from_file(tmp_path / "item.json")
    link = read.get_single_link("derived_from")
    assert link is not None
    assert link.href == facts().model.item_href
    assert json.dumps(item) == json.dumps(item_of(map_folder, facts()))
