"""Pages: they show what the sources hold, all links lead somewhere, and names from outside stay text."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from itertools import count

import pytest

from components.contract.errors import SourceUnavailableError
from components.dashboard.drawing import Drawer
from components.dashboard.notices import STORE, Notices
from components.dashboard.site import HTML, PNG, SVG, Site
from components.dashboard.words import slug
from tests.dashboard.world import HOSTILE, World, many_runs, text, with_names
from tests.lib.history.trainings import stage, training
from tests.pages import foreign_resources, links


def pages(site: Site) -> list[str]:
    return [address for address in site.addresses() if address.endswith(".html")]


def test_the_overview_tells_champion_work_failures_and_data(site: Site) -> None:
    page = text(site, "")
    assert site.snapshot.notices == []
    for words in ("stormsight-sar", "0.160", "0.130 to 0.190", "1 of 2 checks passed", "every check passed",
                  "run third", "stuck", "3</span>", "of 40 tiles quarantined"):  # fmt: skip
        assert words in page, words
    assert page.count('class="tag tag-simulated"') >= 3


def test_a_run_tells_stages_hashes_and_what_to_do(site: Site) -> None:
    page = text(site, "run/second.html")
    assert "out_of_memory" in page
    assert "land it again" in page
    page = text(site, "run/first.html")
    for words in ("distill@one", "1 min", "data/raw", "0" * 32, "run cache", "profile small", "train"):
        assert words in page, words
    page = text(site, "run/checkout.html")
    for words in ("12 s", "not recorded", "c" * 64, "d" * 64, "local", "models/sar/concord"):
        assert words in page, words
    assert "components/distill" not in page, "code is one hash"


def test_cost_is_told_by_run_and_by_promoted_model(site: Site, drawer: Drawer) -> None:
    hour = stage("distill@concord", run="r2", gpus=1, cpus=2.0)
    runs = [
        training(hour, run="r2", promoted=True, simulated=True),
        training(stage("control", run="r1"), run="r1"),
    ]
    page = text(Site(replace(site.snapshot, runs=runs), drawer), "cost.html")
    assert "74.00 CHF" in page, "an hour of a GPU and of two cores"
    assert "0.6 kWh" in page
    assert "110.00 CHF" in page, "the promoted model took the run before it, too"
    assert "A GPU costs 2.0" in page or "a GPU costs 2.0" in page
    page = text(Site(replace(site.snapshot, prices=None), drawer), "cost.html")
    assert "CHF" not in page, "a malformed price table is a notice, and the seconds stay"


def test_from_a_model_to_what_it_was_made_from_is_one_click(site: Site) -> None:
    page = text(site, "model/stormsight-sar-1.html")
    for words in ("a1", "c" * 64, "d" * 64, "e" * 64, "local", "../run/checkout.html"):
        assert words in page, words


def test_every_link_and_picture_is_there_and_nothing_is_fetched_elsewhere(site: Site) -> None:
    known = set(site.addresses())
    for address in pages(site):
        page = text(site, address)
        assert foreign_resources(page) == []
        assert "<script" not in page
        assert "style=" not in page
        named = [*links(page), *re.findall(r'(?:src|srcset|href)="([^"#]+)"', page)]
        for one in named:
            if not one.startswith("#"):
                assert posixpath.normpath(posixpath.join(posixpath.dirname(address), one)) in known, one


def test_names_from_outside_are_text(site: Site) -> None:
    page = text(site, "index.html") + text(site, "quality.html") + text(site, "model/stormsight-sar-1.html")
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b", "..", ".", "CON\0", HOSTILE, "x" * 300, "\udcff", "é", "page.html/.."]
)
def test_a_hostile_run_has_a_page_of_its_own_within_the_site(site: Site, drawer: Drawer, name: str) -> None:
    run = many_runs(1)[0]
    hostile = Site(replace(site.snapshot, runs=with_names(run, [name, "plain", "PLAIN"])), drawer)
    addresses = [address for address in pages(hostile) if address.startswith("run/")]
    assert len({address.lower() for address in addresses}) == 3, "also where case makes no difference"
    for address in addresses:
        assert re.fullmatch(r"run/[A-Za-z0-9][A-Za-z0-9._-]*\.html", address), address
        assert posixpath.normpath(address) == address
    assert slug(name) not in {name, ""} or re.fullmatch("[a-z]+", name)


@pytest.mark.parametrize(
    "address",
    ["../secret", "run/../index.html", "run/nobody.html", "charts/x-light-wide.svg", "pictures/tile-99.png",
     "charts/cost-light-huge.svg", "templates/base.html.j2", "run/.html", "/index.html", "style.css/x"],
)  # fmt: skip
def test_nothing_else_can_be_reached(site: Site, address: str) -> None:
    assert site.resource(address) is None


def test_a_tile_is_drawn_and_a_torn_one_is_no_failure(site: Site) -> None:
    whole, torn = site.resource("pictures/tile-0.png"), site.resource("pictures/tile-1.png")
    assert whole is not None
    assert torn is not None
    assert whole.media_type == torn.media_type == PNG
    assert whole.content.startswith(b"\x89PNG")
    assert torn.content.startswith(b"\x89PNG")
    assert whole.content != torn.content
    assert site.resource("pictures/tile-2.png") is None, "the third has no file"


def test_charts_are_drawn_for_both_themes(site: Site) -> None:
    light = site.resource("charts/score-stormsight-sar-light-wide.svg")
    dark = site.resource("charts/score-stormsight-sar-dark-narrow.svg")
    assert light is not None
    assert dark is not None
    assert light.media_type == SVG
    assert light.content.startswith(b"<svg")
    assert light.content != dark.content
    assert b"simulated iou" in light.content


def test_an_empty_place_has_pages_that_say_so(empty: World, drawer: Drawer) -> None:
    site = Site(empty.read(), drawer)
    assert site.snapshot.notices == []
    page = text(site, "index.html")
    for words in ("No model has been promoted yet", "No training has run yet", "No map has been published"):
        assert words in page
    assert all(site.resource(address) is not None for address in site.addresses())


def test_a_source_that_cannot_be_read_is_a_notice_and_the_others_stay(empty: World, drawer: Drawer) -> None:
    empty.trainings()
    empty.repro()
    (empty.checkout / "data/validated").mkdir(parents=True)
    (empty.checkout / "data/validated/quarantine.csv").write_bytes(b"\xff\xfe\0")
    (empty.checkout / "reports/validate").mkdir(parents=True)
    (empty.checkout / "reports/validate/verdict.json").write_text('{"verdict": 3}')
    head = next(info.key for info in empty.objects.list("ledger/operations/"))
    empty.objects.put(head, b"{}")
    site = Site(empty.read(), drawer)
    told = {notice.source for notice in site.snapshot.notices}
    assert {"ledger and records of trainings", "quarantine list", "verdict"} <= told
    page = text(site, "index.html")
    assert "Could not be read" in page
    assert "checkout" in page, "what the checkout holds is shown all the same"


def test_what_could_not_be_read_is_not_called_absent(empty: World, drawer: Drawer) -> None:
    for key in ("ledger/operations/000000001.json", "ledger/champions/stormsight-sar/000000001.json"):
        empty.objects.put(key, b"{torn")
    site = Site(empty.read(), drawer)
    page = text(site, "index.html")
    assert {"champions", "waiting", "runs"} <= site.snapshot.unread
    assert page.count("Not known: a source") == len(site.snapshot.unread)
    assert "No model has been promoted" not in page
    assert "Nothing is at work" not in page
    assert "No training has run yet" not in text(site, "runs.html")


def test_a_store_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    notices, asked, seconds = Notices(), list[str](), count(step=60)
    monkeypatch.setattr("components.dashboard.notices.time.monotonic", lambda: next(seconds))

    def ask() -> None:
        asked.append("once more")
        raise SourceUnavailableError("no answer", next_step="see the endpoint")

    assert notices.attempt("ledger", ask, store=STORE) is None
    assert notices.attempt("maps", ask, store=STORE) is None
    assert notices.attempt("checkout", lambda: 3) == 3
    assert len(asked) == 1
    assert [notice.source for notice in notices.found] == ["ledger"]


def test_a_store_that_says_no_at_once_is_asked_for_the_rest() -> None:
    notices = Notices()

    def refuse() -> None:
        raise SourceUnavailableError("403 AccessDenied", next_step="render the policies anew")

    assert notices.attempt("comparisons", refuse, store=STORE) is None
    assert notices.attempt("maps", lambda: 3, store=STORE) == 3
    assert notices.failed == {"comparisons"}


def test_a_damaged_lock_is_a_notice(empty: World, drawer: Drawer) -> None:
    empty.repro()
    (empty.checkout / "dvc.lock").write_text("stages: [1]\n")
    site = Site(empty.read(), drawer)
    assert [notice.source for notice in site.snapshot.notices] == ["checkout"]
    assert "No training has run yet" not in text(site, "index.html")


def test_a_decision_of_another_form_breaks_no_page(site: Site, drawer: Drawer) -> None:
    run = many_runs(1)[0]
    odd = {"checks": [{"name": 3}, None], "by_sensor": {"s": {"challenger": {"value": "x"}}}, "sha256": []}
    model = replace(run.models["stormsight-sar"], decision=odd)
    snapshot = replace(site.snapshot, runs=[replace(run, models={"stormsight-sar": model})])
    assert all(Site(snapshot, drawer).resource(address) for address in pages(Site(snapshot, drawer)))


def test_long_lists_have_pages(site: Site, drawer: Drawer) -> None:
    long = Site(replace(site.snapshot, runs=many_runs(120)), drawer)
    assert {"runs.html", "runs-2.html", "runs-3.html"} <= set(pages(long))
    assert 'href="runs-2.html"' in text(long, "runs.html")
    assert "scheduled-00000" in text(long, "runs-3.html")
    missing = long.not_found("run/deep/nowhere.html")
    assert missing.media_type == HTML
    assert b'href="../../index.html"' in missing.content
