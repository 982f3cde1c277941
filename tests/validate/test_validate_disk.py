"""Outputs that cannot be written: told with the folder's name, never by a traceback."""

from __future__ import annotations

import errno
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from components.contract.errors import ResourceError
from components.validate.rules import Rule
from components.validate.stage import Folders, validate
from components.validate.suite import suites
from tests.validate.conftest import PARAMETERS, Release, write_release


@pytest.fixture
def raw(folders: Folders, release: Release) -> Folders:
    write_release(folders.raw / "p00", release)
    return folders


def test_a_file_in_the_place_of_the_reports(raw: Folders, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="file/reports cannot be written"):
        validate(replace(raw, reports=tmp_path / "file" / "reports"), PARAMETERS, ["p00"])


def test_a_disk_that_fills_up(raw: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(ResourceError, match="features cannot be written: No space left on device"):
        validate(raw, PARAMETERS, ["p00"])
    assert list(raw.features.iterdir()) == []


def test_a_page_that_great_expectations_could_not_write_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "validations").write_text("in the way of a folder")
    table = pd.DataFrame({"acquisition": ["a"], "image_id": ["t"], "bands": [4]})
    rule = Rule(name="bands", column="bands", what="number of bands", kind="in", values=(4,))
    with pytest.raises(OSError, match="validations"), suites(tmp_path / "docs") as runner:
        runner.run("s", table, [rule])


def test_no_temporary_folder(raw: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", none_usable)
    with pytest.raises(ResourceError, match="no temporary folder can be made: No usable"):
        validate(raw, PARAMETERS, ["p00"])


def none_usable(**_: object) -> None:
    raise FileNotFoundError("No usable temporary directory found in ['/tmp']")
