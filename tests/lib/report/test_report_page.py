from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from components.lib.metrics.intervals import Interval
from components.lib.report import figures
from components.lib.report.content import (
    DifferenceRow,
    FigureFile,
    Gallery,
    PageLink,
    Panel,
    ReportContent,
    ResultRow,
    ResultTable,
    SliceGroup,
    SliceTable,
    TilePanels,
)
from components.lib.report.page import TEMPLATES, write_report
from components.lib.report.panels import BUILDING, FALSE_ALARM, MISSED, as_hex

HOSTILE = "<script>alert('tile')</script>&\"../../x"


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if tag == "img":
            self.images.append(values)
        self.links += [str(values[name]) for name in ("src", "href") if values.get(name)]
        if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(values["content"])


def interval(value: float, spread: float = 0.05) -> Interval:
    return Interval(value, value - spread, value + spread, value - spread, 0.95, 7, False)


def panels_of(image_id: str, panels: int = 3) -> TilePanels:
    picture = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    drawn = [Panel(title=f"Panel {k}", picture=picture, alt=f"picture {k}") for k in range(panels)]
    return TilePanels(image_id=image_id, heading="Worst", facts=["seen from the north"], panels=drawn)


def report(**changes: object) -> ReportContent:
    rows = [
        ResultRow(
            model=name,
            description="what it is",
            sensor="simulated-airborne",
            iou=interval(value),
            f1=interval(value / 2),
            values={"Precision": 0.25, "Recall": 0.75},
            further={"Kappa": 0.125},
        )
        for name, value in (("teacher", 0.7), ("none", 0.5))
    ]
    content: dict[str, object] = {
        "title": "Evaluation",
        "simulated": "Everything here is from the rehearsal world.",
        "spread": "Trainings differ by a standard deviation of 0.010.",
        "summary": ["The teacher is best."],
        "tables": [ResultTable(title="Headline", about="About.", rows=rows)],
        "differences": [
            DifferenceRow(
                label="a - b", sensor="s", metric="Pixel IoU", interval=interval(0.2, 0.1), least=0.01
            )
        ],
        "galleries": [
            Gallery(
                title="Tiles",
                rule="By rule.",
                tiles=[panels_of(name) for name in ("tile_1", HOSTILE, "tile_3")],
            )
        ],
        "slices": [
            SliceTable(
                title="Flight direction",
                metric="pixel IoU",
                slices=["from north", "from south"],
                groups=[SliceGroup(sensor="s", counts=[4, 0], rows=[("teacher", [interval(0.6), None])])],
            )
        ],
        "figures": [FigureFile(path="curves.png", alt="curves", width=10, height=10)],
        "definitions": [("IoU", "Intersection over union.")],
        "provenance": [("Parameters", "abc")],
    }
    return ReportContent(**(content | changes))  # type: ignore[arg-type]


def write(folder: Path, content: ReportContent) -> tuple[str, Page]:
    write_report(folder, content)
    text = (folder / "index.html").read_text(encoding="utf-8")
    return text, Page(text)


def test_every_tile_picture_is_there_and_on_the_page(tmp_path: Path) -> None:
    _, page = write(tmp_path, report())
    on_page = {str(image["src"]) for image in page.images} - {"curves.png"}
    on_disk = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert on_page == on_disk
    assert len(on_disk) == 9
    for name in on_disk:
        with Image.open(tmp_path / name) as image:
            assert image.size == (60, 60)


def test_names_from_outside_are_escaped_and_never_become_paths(tmp_path: Path) -> None:
    text, page = write(tmp_path, report())
    assert "script" not in page.tags
    assert "<script" not in text
    assert "&lt;script&gt;alert(" in text
    assert all(re.fullmatch(r"tiles/[\d-]+\.png|curves\.png", link) for link in page.links)


def test_the_page_is_self_contained_under_a_strict_policy(tmp_path: Path) -> None:
    text, page = write(tmp_path, report())
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert "default-src 'none'" in page.policy
    assert f"style-src 'sha256-{digest}'" in page.policy
    assert "unsafe" not in page.policy
    assert not re.search(r"\sstyle=|\son\w+=|https?://", text)


def test_simulated_data_are_announced_and_real_ones_are_not(tmp_path: Path) -> None:
    simulated, _ = write(tmp_path / "a", report())
    real, _ = write(tmp_path / "b", report(simulated=""))
    assert 'class="banner"' in simulated
    assert "Simulated." in simulated
    assert 'class="banner"' not in real


def test_numbers_come_with_their_intervals_in_words(tmp_path: Path) -> None:
    text, _ = write(tmp_path, report())
    assert 'aria-label="IoU 0.700, interval 0.650 to 0.750"' in text
    assert "0.250" in text
    assert "0.750" in text
    assert "Kappa" in text
    assert "0.125" in text


def test_a_narrow_page_names_every_value_beside_it(tmp_path: Path) -> None:
    """The style sheet turns rows into blocks there and hides the heads of the columns."""
    text, _ = write(tmp_path, report())
    tables = re.findall(r"<table(.*?)</table>", text, re.DOTALL)
    assert len(tables) == 4
    for table in tables:
        assert 'stack"' in table.splitlines()[0]
        assert len(re.findall(r"<td", table)) == len(re.findall(r'<td[^>]* data-label="[^"]+"', table))


def test_a_page_links_to_the_others_of_its_run(tmp_path: Path) -> None:
    text, _ = write(tmp_path / "a", report(links=[PageLink(address="../x.html", title="Other")]))
    assert '<a href="../x.html">Other</a>' in text
    assert "<nav" not in write(tmp_path / "b", report())[0]


def test_a_curve_fills_its_axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Axes] = []
    save = figures._save

    def saving(canvas: Figure, path: Path) -> tuple[int, int]:
        seen.extend(canvas.axes)
        return save(canvas, path)

    monkeypatch.setattr(figures, "_save", saving)
    curve = pd.DataFrame({"step": [10, 20, 30], "loss": [2.0, 1.5, 1.4]})
    figures.draw_curve(tmp_path / "a.png", curve)
    (axes,) = seen
    assert axes.get_xlim() == (10, 30)
    assert 1.3 < axes.get_ylim()[0] < 1.4
    assert 2.0 < axes.get_ylim()[1] < 2.1


def test_too_few_blocks_give_no_interval(tmp_path: Path) -> None:
    alone = Interval(0.5, 0.5, 0.5, 0.5, 0.95, 1, True)
    row = ResultRow(model="none", description="", sensor="s", iou=alone, f1=alone, values={}, further={})
    text, _ = write(tmp_path, report(tables=[ResultTable(title="T", about="", rows=[row])]))
    assert "interval unknown" in text
    assert "<svg" not in text


def test_roads_have_a_column_of_apls_with_its_interval(tmp_path: Path) -> None:
    row = ResultRow(
        model="none", description="", sensor="s", iou=interval(0.5), f1=None, apls=interval(0.8), values={},
        further={},
    )  # fmt: skip
    table = ResultTable(title="T", about="", rows=[row])
    assert (table.has_graphs, table.scale) == (True, 0.9)
    text, _ = write(tmp_path, report(tables=[table]))
    assert '<td data-label="APLS">' in text
    assert "SpaceNet F1</th>" not in text


def test_pictures_have_words_for_those_who_cannot_see_them(tmp_path: Path) -> None:
    _, page = write(tmp_path, report())
    assert all(image.get("alt") for image in page.images)


@pytest.mark.parametrize(
    ("value", "verdict"), [(0.2, "better"), (-0.2, "worse"), (0.05, "not distinguishable")]
)
def test_a_difference_is_read_off_its_interval(value: float, verdict: str) -> None:
    drawn = DifferenceRow(label="a - b", sensor="s", metric="IoU", interval=interval(value, 0.1), least=0.01)
    assert drawn.verdict == verdict


def test_a_difference_within_the_spread_of_trainings_is_none() -> None:
    def verdict(value: float, least: float | None) -> str:
        row = DifferenceRow(
            label="a - b", sensor="s", metric="IoU", interval=interval(value, 0.001), least=least
        )
        return row.verdict

    assert verdict(0.07, 0.08) == verdict(-0.07, 0.08) == "within the spread of repeated trainings"
    assert verdict(0.09, 0.08) == "better"
    assert verdict(0.5, None) == "spread of repeated trainings not known"


def test_the_page_opens_with_the_spread(tmp_path: Path) -> None:
    text, _ = write(tmp_path, report())
    assert text.index("Trainings differ by") < text.index("The teacher is best.")


def test_the_scale_of_the_intervals_holds_all_of_them() -> None:
    table = report().tables[0]
    assert table.scale >= max(row.iou.high for row in table.rows)
    assert table.scale <= 1


def test_the_legend_shows_the_colours_of_the_pictures() -> None:
    style = (TEMPLATES / "report.css").read_text()
    for name, colour in (("found", BUILDING), ("alarm", FALSE_ALARM), ("missed", MISSED)):
        assert f".{name} {{ background: {as_hex(colour)}; }}" in style


def _luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("ink", "paper"), [("soft", "paper"), ("soft", "tint"), ("ink", "paper"), ("accent", "paper")]
)
def test_text_has_the_contrast_that_wcag_asks_for(ink: str, paper: str) -> None:
    style = (TEMPLATES / "report.css").read_text()
    found = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", style))
    full = {k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in found.items()}
    bright, dark = sorted((_luminance(full[ink]), _luminance(full[paper])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5
