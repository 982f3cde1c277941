from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from components.predict.outputs import page
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.page import write_page
from components.predict.outputs.reading import summarise
from tests.browser import CHROMIUM, Page, browser
from tests.pages import foreign_resources, links
from tests.predict.outputs.examples import HOSTILE, facts, footprints, write_map


class Reader(HTMLParser):
    """Scripts, style sheets, policy and text of a page, as a browser parses them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.text = ""
        self.policy = ""
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag in {"script", "style"}
        if self._open:
            self.elements.append((tag, dict(attrs), ""))
        if tag == "meta" and dict(attrs).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attrs)["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            tag, attrs, text = self.elements[-1]
            self.elements[-1] = (tag, attrs, text + data)
        else:
            self.text += data


def written(folder: Path, about: MapFacts) -> str:
    write_page(folder, about, summarise(folder / "footprints.parquet"))
    return (folder / "index.html").read_text(encoding="utf-8")


def test_the_same_map_made_later_is_the_same_page(map_folder: Path) -> None:
    later = replace(facts(), created=facts().created + timedelta(days=1))
    assert written(map_folder, facts()) == written(map_folder, later)


def test_it_warns_of_another_sensors_statistics(map_folder: Path) -> None:
    assert "took capella-airborne for simulated-airborne" in written(
        map_folder, replace(facts(), statistics_of="simulated-airborne")
    )
    assert "of unknown worth" not in written(map_folder, facts())


def test_it_fetches_nothing_from_elsewhere_and_links_to_its_files(map_folder: Path) -> None:
    text = written(map_folder, facts())
    assert foreign_resources(text) == []
    assert "sourceMappingURL" not in text
    assert set(links(text)) == {
        "#map-canvas",
        "probability.tif",
        "footprints.parquet",
        "footprints.pmtiles",
        "../item.json",
        "../changes/index.html",
        facts().model.item_href,
    }


def test_the_policy_names_exactly_the_scripts_and_the_style_of_the_page(map_folder: Path) -> None:
    reader = Reader(written(map_folder, facts()))
    run = [
        t for tag, attrs, t in reader.elements if tag == "script" and attrs.get("type") in {None, "module"}
    ]
    styles = [text for tag, _, text in reader.elements if tag == "style"]
    assert (len(run), len(styles)) == (3, 1)
    named = set(re.findall(r"'sha256-[^']+'", reader.policy))
    assert named == {page._digest(text) for text in (*run, *styles)}
    assert "unsafe" not in reader.policy
    assert "http" not in reader.policy
    assert "'self'" not in reader.policy


@pytest.mark.parametrize(
    ("simulated", "promoted"), [(True, False), (False, True)], ids=["simulated", "promoted"]
)
def test_it_says_what_the_map_is_worth(map_folder: Path, simulated: bool, promoted: bool) -> None:
    text = Reader(written(map_folder, facts(simulated=simulated, promoted=promoted))).text
    assert ("Simulated." in text) == simulated
    assert ("Not promoted." in text) == (not promoted)
    assert ("Trained on simulated images alone." in text) == (not simulated)
    assert "stormsight-sar, version 3" in text
    assert "5 June 2030, 10:30\N{EN DASH}10:32 UTC" in text
    assert "40 of 40 buildings" in text


@pytest.mark.parametrize("href", [None, "file:///home/someone/objects/maps/models/m/1/item.json"])
def test_a_model_without_an_item_for_others_is_named_without_a_link(
    map_folder: Path, href: str | None
) -> None:
    about = replace(facts(), model=replace(facts().model, item_href=href))
    text = written(map_folder, about)
    assert {facts().model.item_href, href}.isdisjoint(links(text))
    assert "stormsight-sar, version 3" in text


def test_a_hostile_name_is_text(map_folder: Path) -> None:
    reader = Reader(written(map_folder, facts(name=HOSTILE)))
    assert reader.text.count(HOSTILE) == 2, "title and heading"
    assert len([tag for tag, _, _ in reader.elements if tag == "script"]) == 6


def test_values_in_scripts_cannot_end_them() -> None:
    text = page.embedded({"a": "</script>&<!--"})
    assert not set(text) & set("<>&")
    assert json.loads(text) == {"a": "</script>&<!--"}


def test_large_tiles_stay_beside_the_page(map_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inline = Reader(written(map_folder, facts()))
    monkeypatch.setattr(page, "INLINE_BYTES", 100)
    beside = Reader(written(map_folder, facts()))
    tiles = {attrs.get("id"): text for _, attrs, text in inline.elements}["tiles-footprints"]
    assert base64.b64decode(tiles) == (map_folder / "footprints.pmtiles").read_bytes()
    assert "tiles-footprints" not in {attrs.get("id") for _, attrs, _ in beside.elements}
    assert "connect-src 'self' blob: data:" in beside.policy


def test_vendored_scripts_are_those_of_the_stated_versions() -> None:
    digests = {
        "maplibre-gl.mjs": "e02cb08c572fd0950a75343cd558099c2a1dbbaf67f26b0c96f115431962d1ae",
        "maplibre-gl-worker.mjs": "73d7a024a4efe1a46e49db193e18cfe33271e3ecc652ec7542c281a4ef5f0f04",
        "maplibre-gl.css": "a90798a1953017790e590f7e1bd35ff103a8a4263972cb47290b78adf86f8c20",
        "pmtiles.js": "caf981bc46f6327ee7e65d5dc964d89d38a69f60edca2bd4c5c890c21b554c6c",
    }
    for name, digest in digests.items():
        assert hashlib.sha256((page.VENDOR / name).read_bytes()).hexdigest() == digest, name
    assert {path.name for path in page.VENDOR.glob("*LICENSE*")} == {
        "maplibre-gl-LICENSE.txt",
        "pmtiles-LICENSE.txt",
        "fflate-LICENSE.txt",
    }


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine to draw the page")
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


DRAWN = "document.documentElement.dataset.drawn"


def test_a_browser_draws_the_buildings_from_the_folder(shown: Page, map_folder: Path) -> None:
    written(map_folder, facts(name=HOSTILE))
    shown.open((map_folder / "index.html").as_uri())
    assert int(shown.wait_for(DRAWN)) >= 40
    shown.value("document.querySelector('#buildings button').focus()")
    shown.press("n")
    said = shown.wait_for("document.querySelector('.card')?.textContent")
    shown.value("least.value = '0.9'; least.dispatchEvent(new Event('input'))")
    counted = shown.value("document.querySelector('#shown').textContent")
    assert shown.complaints == []
    largest = summarise(map_folder / "footprints.parquet").largest[0]
    assert said == f"Confidence{largest.confidence:.2f}Area80 m²Name{largest.id}"
    assert counted == f"{(footprints().confidence.round(4) >= 0.9).sum()} of 40 buildings"


def test_a_browser_draws_a_map_without_buildings(shown: Page, tmp_path: Path) -> None:
    write_map(tmp_path, footprints(0))
    assert "No building was found" in Reader(written(tmp_path, facts())).text
    shown.open((tmp_path / "index.html").as_uri())
    assert shown.wait_for(DRAWN) == "0"
    assert shown.complaints == []


def test_a_browser_shows_which_ground_has_data(shown: Page, map_folder: Path) -> None:
    written(map_folder, facts())
    shown.open((map_folder / "index.html").as_uri())
    shown.wait_for(DRAWN)
    box = json.loads(shown.value("JSON.stringify(document.querySelector('#map').getBoundingClientRect())"))
    left, top, width, height = (int(box[name]) for name in ("left", "top", "width", "height"))
    pixels = np.asarray(Image.open(BytesIO(shown.screenshot())).convert("RGB"))
    row = pixels[top + height // 2, left : left + width].astype(int)
    seen = np.flatnonzero((row == 252).all(axis=1))
    # The 80 western ones of 600 columns have no data: the rest is not in the middle.
    length = seen[-1] + 1 - seen[0]
    assert length > 100
    assert (seen[0] + length / 2 - width / 2) / length == pytest.approx(40 / 520, abs=0.01)


class PlainFiles(SimpleHTTPRequestHandler):
    """Python's file server, which answers a request for a part with the whole file."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def beside(map_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a map whose tiles are not part of its page."""
    monkeypatch.setattr(page, "INLINE_BYTES", 100)
    shutil.copytree(map_folder, tmp_path / "map")
    written(tmp_path / "map", facts())
    return tmp_path / "map"


def test_tiles_beside_the_page_come_from_a_server_that_knows_no_ranges(shown: Page, beside: Path) -> None:
    handler = partial(PlainFiles, directory=str(beside))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        shown.open(f"http://127.0.0.1:{server.server_port}/index.html")
        assert int(shown.wait_for(DRAWN)) >= 40
        server.shutdown()
    assert [said for said in shown.complaints if "favicon" not in said and "404" not in said] == []


def test_tiles_that_a_browser_may_not_read_are_told_of(shown: Page, beside: Path) -> None:
    shown.open((beside / "index.html").as_uri())
    assert shown.wait_for("document.querySelector('#notice').textContent").startswith(
        "The footprints lie in footprints.pmtiles beside this page"
    )
    assert shown.value("document.querySelector('#show-probability').checked") is True
