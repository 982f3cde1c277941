"""Every page in a real browser: accessible in light and dark, on desktop and phone, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.dashboard.export import export_site
from components.dashboard.site import Site
from tests.axe import axe_source, findings
from tests.browser import CHROMIUM, Page, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

PAGES = (
    "index.html", "runs.html", "run/first.html", "run/second.html", "run/checkout.html", "quality.html",
    "drift.html", "scores.html", "cost.html", "maps.html", "map/map-1.html", "model/stormsight-sar-1.html",
)  # fmt: skip

BROKEN = "[...document.images].filter(one => !one.complete || !one.naturalWidth).map(one => one.src)"


@pytest.fixture(scope="module")
def folder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pages") / "site"
    export_site(site, found)
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        found.open("about:blank")
        yield found


def address(folder: Path, name: str) -> str:
    return (folder / name).as_uri()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_serious_finding_of_axe_on_any_page(page: Page, folder: Path, dark: bool) -> None:
    source = axe_source()
    for width in (1280, 390):
        page.show_as(width=width, dark=dark)
        for name in PAGES:
            page.go_to(address(folder, name))
            page.value("document.querySelectorAll('details').forEach(one => one.open = true)")
            assert findings(page, source) == [], (name, width)
            assert page.complaints == [], (name, width)


def test_every_picture_shows_and_nothing_is_wider_than_a_phone(page: Page, folder: Path) -> None:
    for width in (1280, 390, 320):
        page.show_as(width=width)
        for name in PAGES:
            page.go_to(address(folder, name))
            page.value("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
            page.wait_for("[...document.images].every(image => image.complete)")
            assert page.value(BROKEN) == [], name
            assert page.value("document.documentElement.scrollWidth") <= width, (name, width)


def test_the_chart_is_the_one_of_scheme_and_width(page: Page, folder: Path) -> None:
    for width, dark, name in (
        (1280, False, "light-wide"),
        (1280, True, "dark-wide"),
        (390, True, "dark-narrow"),
    ):
        page.show_as(width=width, dark=dark)
        page.go_to(address(folder, "scores.html"))
        page.wait_for("document.images[0].complete")
        assert page.value("document.images[0].currentSrc").endswith(f"score-stormsight-sar-{name}.svg")


def test_the_first_stop_of_the_keyboard_skips_to_the_content(page: Page, folder: Path) -> None:
    page.show_as(width=1280)
    page.go_to(address(folder, "index.html"))
    assert page.value("document.querySelector('a').className") == "skip"
    assert page.value("document.querySelector('a').hash") == "#content"
    stops = page.value("document.querySelectorAll('[tabindex=\"0\"], a, summary').length")
    assert stops > 10
    assert page.value("document.scripts.length") == 0
