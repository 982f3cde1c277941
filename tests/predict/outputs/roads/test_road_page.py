"""Page of a map of roads: what it says, and what a browser draws of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import geopandas
import pytest

from components.predict.outputs import facts as names
from components.predict.outputs import page
from components.predict.outputs.roads.reading import LONGEST, summarise_roads
from tests.browser import CHROMIUM, Page, browser
from tests.pages import foreign_resources, links
from tests.predict.outputs.test_page import DRAWN, Reader
from tests.predict.products.road_scenes import finished, road_map, road_scene


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a map of roads."""
    root = tmp_path_factory.mktemp("roads")
    finished(road_map(road_scene()), root)
    return root / "out"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine to draw the page")
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def test_the_summary_is_that_of_the_table(folder: Path) -> None:
    roads = geopandas.read_parquet(folder / names.ROADS)
    found = summarise_roads(folder / names.ROADS)
    assert (found.roads, found.nodes) == (len(roads), len({*roads["from_node"], *roads["to_node"]}))
    assert found.length_m == pytest.approx(roads["length_m"].sum())
    assert dict(found.by_speed) == pytest.approx(roads.groupby("speed_kmh")["length_m"].sum().to_dict())
    lengths = sorted(roads["length_m"], reverse=True)[:LONGEST]
    assert [road.length_m for road in found.longest] == lengths
    assert roads.set_index("id").loc[found.longest[0].id, "length_m"] == lengths[0]


def test_the_page_says_roads_and_kilometres_and_nothing_of_buildings(folder: Path) -> None:
    text = (folder / names.PAGE).read_text()
    reader = Reader(text)
    assert "Roads of test" in reader.text
    assert re.search(r"Roads\s*0\.\d\d km", reader.text)
    assert "exceeds 0.5" in reader.text
    assert "uilding" not in reader.text
    assert foreign_resources(text) == []
    assert set(links(text)) == {
        "#map-canvas", "roads.parquet", "roads.graphml", "roads.pmtiles", "probability.tif", "../item.json"
    }  # fmt: skip


def test_the_policy_names_exactly_the_scripts_and_the_style_of_the_page(folder: Path) -> None:
    reader = Reader((folder / names.PAGE).read_text())
    run = [
        text
        for tag, attrs, text in reader.elements
        if tag == "style" or (tag == "script" and attrs.get("type") in {None, "module"})
    ]
    assert set(re.findall(r"'sha256-[^']+'", reader.policy)) == {page._digest(text) for text in run}


def test_a_browser_draws_the_roads_over_the_probability(shown: Page, folder: Path) -> None:
    shown.open((folder / names.PAGE).as_uri())
    drawn = int(shown.wait_for(DRAWN))
    summary = summarise_roads(folder / names.ROADS)
    assert drawn >= summary.roads
    assert shown.value("document.querySelector('#show-probability').checked") is True
    shown.value("document.querySelector('#roads button').focus()")
    shown.press("n")
    said = shown.wait_for("document.querySelector('.card')?.textContent")
    shown.value("document.querySelector('#show-roads').click()")
    shown.value("document.querySelector('#show-probability').click()")
    assert shown.complaints == []
    longest = summary.longest[0]
    assert said.startswith(f"Length{longest.length_m:.0f} m")
    assert said.endswith(longest.id)
