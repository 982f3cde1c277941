"""Page on drift: verdicts, what shifted, requests; of the store and of the checkout."""

from __future__ import annotations

import json
import os
import re

from components.contract.drift import comparison_key
from components.dashboard.drawing import Drawer
from components.dashboard.drift import KnownComparison, comparisons_here, comparisons_in_store
from components.dashboard.notices import Notices
from components.dashboard.site import SVG, Site
from components.lib.files import write_json
from tests.dashboard.world import World, text
from tests.lib.drift.comparisons import comparison


def test_the_page_tells_verdict_shift_and_request(site: Site) -> None:
    page = text(site, "drift.html")
    for words in ("differs", "no drift", "not compared", "3 locations are too few", "sar_mean_HH", "by hand",
                  "+2.00", "+1.50 to +2.50", "no. 1", "12 locations against 20",
                  'href="model/stormsight-sar-1.html"', "&lt;script&gt;"):  # fmt: skip
        assert words in page, words
    assert "<script" not in page
    assert page.count('class="tag tag-simulated"') == 4, "two comparisons, each in the table and by itself"
    drawn = re.findall(r"charts/(drift-\d)-light-wide.svg", page)
    assert len(set(drawn)) == 2, "the one that was refused has no effects"
    chart = site.resource(f"charts/{drawn[0]}-dark-narrow.svg")
    assert chart is not None
    assert chart.media_type == SVG
    assert b"not shifted" in chart.content


def test_a_chart_of_some_statistics_says_so_and_a_file_is_named(empty: World, drawer: Drawer) -> None:
    report = comparison("a1", drifted=True)
    report["statistics"] = report["statistics"][:1] * 34
    report["reference"] |= {"model": None, "version": None}
    write_json(empty.checkout / "reports/drift/a1/drift.json", report)
    page = text(Site(empty.read(), drawer), "drift.html")
    assert "Drawn: 24 of 34 statistics, the most significant first." in page
    assert re.search(r"against 20 of\s+<span class=\"soft\">a file</span>\.", page)


def test_estimated_scores_of_the_checkout_are_listed(empty: World, drawer: Drawer) -> None:
    scores = [
        {"metric": "iou", "expected": 0.526, "low": 0.479, "high": 0.574, "true": None, "thresholded": 0.5},
        {"metric": "px_f1", "expected": 0.69, "low": None, "high": None, "true": 0.707},
    ]
    report = {"kind": "score_estimate", "schema": 1, "acquisition": "a1", "sensor": "simulated-airborne",
              "simulated": True, "model": "<b>", "confidence": 0.95, "scores": scores}  # fmt: skip
    folder = empty.checkout / "reports/drift/a1"
    write_json(folder / "estimate-m.json", report)
    write_json(folder / "estimate-torn.json", report | {"confidence": 3})
    found = empty.read()
    assert [notice.source for notice in found.notices] == ["estimated scores in this checkout"]
    assert found.simulated
    page = text(Site(found, drawer), "drift.html")
    for words in (
        "0.526",
        "0.479 to 0.574",
        "(95 %)",
        "no labels",
        "0.707",
        "without an interval",
        "&lt;b&gt;",
    ):
        assert words in page, words
    assert page.count('class="tag tag-simulated"') == 2


def test_without_a_comparison_the_page_says_so(empty: World, drawer: Drawer) -> None:
    page = text(Site(empty.read(), drawer), "drift.html")
    assert "No acquisition has been compared with a champion yet" in page


def test_a_damaged_comparison_is_a_notice(empty: World, drawer: Drawer) -> None:
    empty.objects.put(comparison_key("stormsight-sar", "1", "a1"), b"torn")
    found = empty.read()
    assert [notice.source for notice in found.notices] == ["comparisons with champions"]
    page = text(Site(found, drawer), "drift.html")
    assert "Not known" in page
    assert "has been compared" not in page


def test_the_newest_come_first_and_are_read_once(empty: World) -> None:
    for hour, name in enumerate(("a1", "a2")):
        path = empty.checkout / f"reports/drift/{name}/drift.json"
        write_json(path, comparison(name, drifted=False))
        os.utime(path, (3600 * hour, 3600 * hour))
    here = comparisons_here(empty.checkout, Notices())
    assert [one.record.acquisition for one in here] == ["a2", "a1"]
    empty.compare()
    known: dict[str, KnownComparison] = {}
    first = comparisons_in_store(empty.objects, known, Notices())
    assert {one.record.acquisition for one in first} == {"a2", "a3"}
    again = comparisons_in_store(empty.objects, known, Notices())
    assert all(one is other for one, other in zip(again, first, strict=True))


def test_a_damaged_comparison_hides_no_other(empty: World, drawer: Drawer) -> None:
    empty.compare()
    empty.objects.put(comparison_key("stormsight-sar", "1", "torn"), b"torn")
    for name, content in (
        ("nan", '{"p_value": NaN}'),
        ("places", json.dumps({**comparison("places", drifted=True), "locations": {"reference": 3}})),
        ("folder", None),
    ):
        path = empty.checkout / f"reports/drift/{name}/drift.json"
        if content is None:
            path.mkdir(parents=True)
            continue
        path.parent.mkdir(parents=True)
        path.write_text(content)
    (empty.checkout / "reports/drift/link").mkdir()
    (empty.checkout / "reports/drift/link/drift.json").symlink_to("nowhere")
    found = empty.read()
    assert len(found.notices) == 4
    page = text(Site(found, drawer), "drift.html")
    for words in ("a2", "a3", "by hand", "Not all of them", "locations.acquisition: Field required"):
        assert words in page, words


def test_extreme_values_leave_a_page(empty: World, drawer: Drawer) -> None:
    strange = comparison("strange", drifted=True)
    strange["request"]["time"] = "0001-01-01T00:00:00+14:00"
    strange["statistics"][0] |= {"statistic": "half \ud800", "effect": 1.5e162, "low": -1e162, "high": 1e300}
    write_json(empty.checkout / "reports/drift/strange/drift.json", strange)
    site = Site(empty.read(), drawer)
    page = site.resource("drift.html")
    assert page is not None
    assert "half ?" in page.content.decode()
    assert "+1.5e+162" in page.content.decode()
    chart = site.resource("charts/drift-0-light-wide.svg")
    assert chart is not None
    assert chart.content.startswith(b"<svg")
