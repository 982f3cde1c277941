"""Cases that only a folder can get wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from components.contract.errors import ParameterError, ResourceError, SourceUnavailableError
from components.lib.objects.folder import TEMPORARY, FolderObjects
from components.lib.objects.opening import objects_from_environment, open_objects


@pytest.fixture
def folder(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "store")


def test_links_lead_nowhere(folder: FolderObjects, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("s")
    folder.put("in/side", b"1")
    (folder.root / "out").symlink_to(tmp_path / "outside")
    (folder.root / "in" / "link").symlink_to(tmp_path / "outside" / "secret")
    assert [info.key for info in folder.list()] == ["in/side"]
    assert folder.list("out/") == []
    assert list(folder.folders()) == ["in"]
    assert not folder.exists("in/link")
    for key in ("out/secret", "out/new"):
        with pytest.raises(ParameterError, match="leaves the folder"):
            folder.put(key, b"2")
        with pytest.raises(ParameterError, match="leaves the folder"):
            folder.get(key)
    folder.put("in/link", b"3")  # the link is replaced, not followed
    assert (tmp_path / "outside" / "secret").read_text() == "s"


def test_what_is_being_written_is_no_object(folder: FolderObjects) -> None:
    folder.put("a", b"1")
    (folder.root / TEMPORARY / "half").write_text("h")
    assert [info.key for info in folder.list()] == ["a"]
    assert list(folder.folders()) == []
    with pytest.raises(ParameterError):
        folder.put(f"{TEMPORARY}/x", b"")
    folder.create("a", b"2")
    folder.create("b", b"2")
    assert [path.name for path in (folder.root / TEMPORARY).iterdir()] == ["half"]


def test_what_a_killed_process_left_goes_with_the_next_write(folder: FolderObjects) -> None:
    left = folder.root / TEMPORARY / "left"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    folder.create("a", b"1")
    assert list(left.parent.iterdir()) == []


def test_a_command_that_writes_nothing_removes_what_a_killed_one_left(
    folder: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = folder.root / TEMPORARY / "left"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    monkeypatch.setenv("STORMSIGHT_OBJECTS", str(folder.root))
    assert objects_from_environment().list("") == []
    assert list(left.parent.iterdir()) == []


def test_a_repeated_link_call_counts_as_made(folder: FolderObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat a link as NFS does: the first answer is lost, the repetition finds the file."""
    link = os.link

    def repeated(source: Path, target: Path, *, follow_symlinks: bool) -> None:
        link(source, target, follow_symlinks=follow_symlinks)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", repeated)
    assert folder.create("a", b"mine")
    assert folder.get("a") == b"mine"


def test_a_folder_where_an_object_should_be(folder: FolderObjects) -> None:
    folder.put("a/b", b"1")
    for attempt in (
        lambda: folder.put("a", b"2"),
        lambda: folder.put("a/b/c", b"2"),
        lambda: folder.create("a/b/c", b"2"),
        lambda: folder.get("a"),
    ):
        with pytest.raises(ParameterError, match="a folder stands where a file should be"):
            attempt()
    assert not folder.create("a", b"2")


@pytest.mark.parametrize(
    ("number", "failure", "text"),
    [
        (errno.ENOSPC, ResourceError, "No space left"),
        (errno.EIO, SourceUnavailableError, "Input/output error"),
    ],
)
def test_a_failing_disk(
    folder: FolderObjects, monkeypatch: pytest.MonkeyPatch, number: int, failure: type[Exception], text: str
) -> None:
    folder.put("a", b"old")

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(failure, match=text):
        folder.put("a", b"new")
    monkeypatch.undo()
    assert folder.get("a") == b"old"
    assert list((folder.root / TEMPORARY).iterdir()) == []


def test_stores_are_found_by_uri_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_objects(f"file://{tmp_path}/with space").put("a", b"1")
    assert (tmp_path / "with space" / "a").read_bytes() == b"1"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORMSIGHT_OBJECTS", "")
    assert objects_from_environment().uri == f"file://{tmp_path}/var/objects"
    monkeypatch.setenv("STORMSIGHT_OBJECTS", "other")
    assert objects_from_environment().uri == f"file://{tmp_path}/other"
    for uri in ("", "s3://", "http://x/y", "file://relative"):
        with pytest.raises(ParameterError, match="names no object store"):
            open_objects(uri)


def test_a_place_where_no_folder_can_be_made_is_no_missing_object() -> None:
    """A write to /proc finds no such folder: that is the place, not a step that has not run."""
    store = FolderObjects(Path("/proc/nowhere"))
    for write in (store.put, store.create):
        with pytest.raises(ResourceError, match="no folder can be made in /proc/nowhere"):
            write("a/b", b"x")
