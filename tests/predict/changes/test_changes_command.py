from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import geopandas
import pyarrow.parquet as pq
import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.objects.opening import open_objects
from components.predict.__main__ import main
from tests.browser import CHROMIUM, browser
from tests.pages import foreign_resources, links
from tests.predict.changes.published import houses, later_houses, publish


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    root = tmp_path_factory.mktemp("maps")
    return publish(root, "june", houses(), 5), publish(root, "later", later_houses(), 25)


@pytest.fixture(scope="module")
def written(maps: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("changes") / "out"
    main(["changes", *maps, "--out", str(out), "--gpkg"])
    return out


def test_changes_are_those_that_were_made(written: Path) -> None:
    table = geopandas.read_parquet(written / "changes.parquet")
    assert table.crs.to_epsg() == 32631
    assert sorted(table["kind"]) == ["added", "enlarged", "removed"]
    by_kind = table.set_index("kind")
    assert by_kind.loc["removed"].geometry.equals(houses()[4])
    assert by_kind.loc["added"].geometry.equals(later_houses()[-1])
    # One metre of the shift and one of the tolerance: twelve metres more, of which the last are new.
    assert by_kind.loc["enlarged", "area_m2"] == pytest.approx(12 * 12)
    assert set(table["before_map"]) == {"june"}
    assert set(table["after_date"]) == {datetime(2030, 6, 25, 10, 30, tzinfo=UTC)}
    assert table["confidence"].tolist() == pytest.approx([0.85 * 0.95] * 3, abs=0.01)


def test_the_file_is_geoparquet_and_says_that_it_is_simulated(written: Path) -> None:
    metadata = pq.read_metadata(written / "changes.parquet").metadata
    geo = json.loads(metadata[b"geo"])
    assert (geo["version"], geo["primary_column"]) == ("1.1.0", "geometry")
    assert geo["columns"]["geometry"]["geometry_types"] == ["Polygon"]
    assert metadata[b"STORMSIGHT_SIMULATED"] == b"yes"


def test_the_geopackage_holds_the_same(written: Path) -> None:
    table = geopandas.read_file(written / "changes.gpkg", layer="changes")
    assert sorted(table["kind"]) == ["added", "enlarged", "removed"]
    assert table.crs.to_epsg() == 32631


def test_the_page_fetches_nothing_and_links_to_its_files(written: Path) -> None:
    text = (written / "index.html").read_text()
    assert foreign_resources(text) == []
    assert set(links(text)) == {
        "#map-canvas",
        "changes.parquet",
        "changes.gpkg",
        "changes.pmtiles",
        "before.pmtiles",
        "after.pmtiles",
    }
    assert "Simulated." in text
    assert "Not promoted." in text
    assert "5 June 2030 to 25 June 2030" in text


@pytest.fixture
def beside(maps: tuple[str, str], written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Page of which the changes are part, and for which the footprints are too many."""
    most = (written / "changes.pmtiles").stat().st_size
    monkeypatch.setattr("components.predict.changes.page.INLINE_BYTES", most)
    main(["changes", *maps, "--out", str(tmp_path / "out")])
    return tmp_path / "out" / "index.html"


def test_of_many_buildings_the_page_holds_the_changes_alone(beside: Path) -> None:
    text = beside.read_text()
    assert re.findall(r'id="tiles-(\w+)"', text) == ["changes"]
    assert "connect-src &#39;self&#39; blob: data:" in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_footprints_that_a_browser_may_not_read_are_told_of(beside: Path, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as page:
        page.open(beside.as_uri())
        assert page.wait_for("document.querySelector('#notice').textContent").startswith(
            "The footprints lie beside this page"
        )
        assert page.value("document.querySelector('#show-probability').checked") is True
        assert page.wait_for("document.documentElement.dataset.drawn") == "3"


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_the_page_draws_both_maps_and_is_worked_by_keyboard(written: Path, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as page:
        page.open((written / "index.html").as_uri())
        assert page.wait_for("document.documentElement.dataset.drawn") == "3"
        page.value("document.querySelector('#buildings button').focus()")
        page.press("n")
        said = page.wait_for("document.getElementById('said').textContent")
        assert re.fullmatch(r"added, 252 square metres, confidence 0\.81", said)
        page.press("b")
        assert page.value("document.getElementById('divide').value") == "100"
        assert page.complaints == []


def test_the_summary_and_no_warning(
    maps: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["changes", *maps, "--out", str(tmp_path / "out")])
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "SIMULATED, 1 added, 1 removed, 1 enlarged"
    assert said.out.splitlines()[1].strip() == str(tmp_path / "out" / "index.html")
    assert said.err == ""


def test_swapped_and_equal_maps_are_doubted(
    maps: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["changes", *maps[::-1], "--out", str(tmp_path / "swapped")])
    assert "later shows a later day than june: the maps may be swapped" in capsys.readouterr().err
    main(["changes", maps[0], maps[0], "--out", str(tmp_path / "equal")])
    said = capsys.readouterr()
    assert "both are the same map" in said.err
    assert said.out.startswith("SIMULATED, 0 added, 0 removed, 0 enlarged")


def test_the_same_command_replaces_its_own_folder_and_no_other(maps: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        main(["changes", *maps, "--out", str(out)])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(ParameterError, match="holds something else than changes"):
        main(["changes", *maps, "--out", str(tmp_path / "mine")])
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_what_is_no_map_is_named(maps: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"nowhere' is no map: it has no item\.json"):
        main(["changes", maps[0], str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    places = publish(tmp_path, "june", houses(), 5), publish(tmp_path, "later", later_houses(), 25)
    damaged = next(Path(places[1]).rglob("footprints.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(BadDataError, match=r"footprints\.parquet"):
        main(["changes", *places, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_maps_of_a_bucket_are_compared(
    maps: tuple[str, str], bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = open_objects(f"s3://{bucket}/maps")
    root = Path(maps[0]).parent
    for path in root.rglob("*"):
        if path.is_file():
            store.upload(f"items/{path.relative_to(root).as_posix()}", path)
    places = [f"s3://{bucket}/maps/items/{Path(place).name}" for place in maps]
    main(["changes", places[0], f"{places[1]}/item.json", "--out", str(tmp_path / "out")])
    assert capsys.readouterr().out.startswith("SIMULATED, 1 added, 1 removed, 1 enlarged")


def test_an_item_cannot_name_files_outside_of_its_map(maps: tuple[str, str], tmp_path: Path) -> None:
    item = json.loads((Path(maps[0]) / "item.json").read_text())
    del item["properties"]["stormsight:seal"]
    item["assets"]["footprints"]["href"] = "./../../secret.parquet"
    hostile = tmp_path / "a" / "b" / "map"
    hostile.mkdir(parents=True)
    (hostile / "item.json").write_text(json.dumps(item))
    (tmp_path / "a" / "secret.parquet").write_bytes(b"secret")
    with pytest.raises(ParameterError, match="is no object key"):
        main(["changes", maps[0], str(hostile), "--out", str(tmp_path / "out")])
