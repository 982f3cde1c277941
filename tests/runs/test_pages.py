"""Pages of a run come out of the remote whole, or the command says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.lib.objects.content import content_key
from components.lib.objects.opening import open_objects
from components.runs.pages import fetch_pages, outputs, page_outputs
from components.runs.plan import plan
from tests.runs.pipeline import World, command

INDEX = "reports/evaluate/report/index.html"


def pages_of(world: World) -> dict[str, str]:
    return page_outputs(open_objects(world.remote), outputs(world.records("r1").stages().values()))


def test_all_pages_of_a_run_are_fetched_into_one_folder(
    trained: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages"
    assert command(trained, "report", "r1", "--out", str(out))[0] == 0
    assert capsys.readouterr().out.splitlines() == [str(out / INDEX)]
    assert (out / INDEX).read_text() == "<h1>Report</h1>"
    for path in (
        "reports/promote/decision.json",
        "reports/distill/one/curve.csv",
        "reports/evaluate/table.txt",
    ):
        assert (out / path).is_file()
    assert not (out / "data").exists()
    assert not (out / "models").exists()
    (out / INDEX).write_text("changed")
    fetch_pages(trained.environment(), "r1", out)
    assert (out / INDEX).read_text() == "<h1>Report</h1>", "what was fetched before is replaced"


def test_an_unknown_run_names_the_nearest(trained: World, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"knows no run 'r11'.*r1") as caught:
        fetch_pages(trained.environment(), "r11", tmp_path / "pages")
    assert "r1" in caught.value.next_step


def test_a_run_without_pages_is_not_finished(world: World, tmp_path: Path) -> None:
    assert plan(world.environment(), "r1", force=True) == 0
    with pytest.raises(MissingInputError, match="run r1 is not finished"):
        fetch_pages(world.environment(), "r1", tmp_path / "pages")


def test_pruned_pages_are_told_and_nothing_is_left_behind(trained: World, tmp_path: Path) -> None:
    open_objects(trained.remote).delete(content_key(pages_of(trained)[INDEX]))
    with pytest.raises(MissingInputError, match="run r1: its pages are gone") as caught:
        fetch_pages(trained.environment(), "r1", tmp_path / "new" / "pages")
    assert "pruned" in caught.value.next_step
    assert list((tmp_path / "new").iterdir()) == []


def test_a_page_with_other_bytes_is_refused(trained: World, tmp_path: Path) -> None:
    open_objects(trained.remote).put(content_key(pages_of(trained)[INDEX]), b"other")
    with pytest.raises(BadDataError, match="another hash"):
        fetch_pages(trained.environment(), "r1", tmp_path / "pages")
    assert not (tmp_path / "pages").exists()


def test_a_folder_of_other_files_is_left_alone(trained: World, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(ParameterError, match="something else than fetched pages"):
        fetch_pages(trained.environment(), "r1", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_a_folder_list_cannot_leave_its_folder(trained: World, tmp_path: Path) -> None:
    remote = open_objects(trained.remote)
    listing = outputs(trained.records("r1").stages().values())["reports/evaluate/report"]
    remote.put(content_key(listing), b'[{"md5": "0", "relpath": "../../../evil.html"}]')
    with pytest.raises(BadDataError, match="outside of its folder"):
        fetch_pages(trained.environment(), "r1", tmp_path / "pages")
