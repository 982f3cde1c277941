"""Static export and the published archive: whole, repeatable, and never over something else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from components.contract.errors import ParameterError
from components.contract.pages import DASHBOARD
from components.dashboard.__main__ import main
from components.dashboard.export import MARK, export_site, publish_site
from components.dashboard.site import Site
from components.lib.objects.folder import FolderObjects
from tests.dashboard.world import World


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_an_export_holds_every_address_and_is_the_same_again(site: Site, tmp_path: Path) -> None:
    count = export_site(site, tmp_path / "out")
    found = files_of(tmp_path / "out")
    assert set(found) == {MARK, *site.addresses()}
    assert count == len(found) - 1
    assert export_site(site, tmp_path / "out") == count, "an earlier export is replaced"
    assert files_of(tmp_path / "out") == found
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_something_else_is_left_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(ParameterError, match="something else"):
        export_site(site, tmp_path / "mine")
    export_site(site, tmp_path / "out")
    (tmp_path / "out/run/notes.txt").write_text("a remark")
    with pytest.raises(ParameterError, match=r"notes\.txt"):
        export_site(site, tmp_path / "out")
    assert (tmp_path / "out/run/notes.txt").read_text() == "a remark"
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"


def test_the_archive_holds_the_same_and_is_the_same_again(site: Site, tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    assert publish_site(site, objects) == len(list(site.addresses()))
    first = objects.get(DASHBOARD)
    with zipfile.ZipFile(tmp_path / DASHBOARD) as archive:
        assert set(archive.namelist()) == set(site.addresses())
        assert archive.testzip() is None
    publish_site(site, objects)
    assert objects.get(DASHBOARD) == first


def test_the_command_exports_an_empty_place(
    empty: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(empty.root / "objects"))
    monkeypatch.setenv("STORMSIGHT_SOURCE", str(empty.checkout))
    main(["--export", str(empty.root / "out")])
    assert "No model has been promoted yet" in (empty.root / "out/index.html").read_text()
    assert "open" in capsys.readouterr().out
    main(["--publish"])
    assert (empty.root / "objects" / DASHBOARD).is_file()
