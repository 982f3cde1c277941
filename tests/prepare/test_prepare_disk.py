"""A disk without room, and a folder that cannot be written: told as such, nothing left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from components.contract.errors import ResourceError
from tests.prepare.tiny_raw import Acquisition, Folders

WEST = 592_000.0


@pytest.fixture
def one_tile(folders: Folders) -> Folders:
    acquisition = Acquisition()
    acquisition.add_tile(1, WEST)
    folders.write(acquisition)
    return folders


def test_room_is_taken_before_a_page_is_mapped(one_tile: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ResourceError, match="cannot be written: No space left on device"):
        one_tile.prepare()
    assert not [path for path in one_tile.store.rglob("*") if path.is_file() or path.name.startswith(".")]


def test_a_file_system_that_cannot_reserve_is_used_as_before(
    one_tile: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    assert one_tile.prepare()["tiles"] == 1


@pytest.mark.parametrize("blocked", ["prepared", "reports"])
def test_a_file_in_the_place_of_an_output_folder(blocked: str, one_tile: Folders, tmp_path: Path) -> None:
    class Elsewhere(Folders):
        store = property(lambda self: self.root / ("file/prepared" if blocked == "prepared" else "prepared"))
        metrics = property(lambda self: self.root / ("file/m.json" if blocked == "reports" else "m.json"))

    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match=r"file(/prepared/layers)? cannot be written"):
        Elsewhere(one_tile.root).prepare()
