"""Checkpoints in the object store: whole sets, never torn, and no reason to lose a training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components.contract.errors import SourceUnavailableError
from components.lib.objects.folder import FolderObjects
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.runs.checkpoints import CheckpointMirror

PREFIX = "work/k/checkpoints/train"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_objects(str(tmp_path / "objects"))


def mirror(store: ObjectStore, root: Path) -> CheckpointMirror:
    return CheckpointMirror(store, PREFIX, root / "var/checkpoints", root / "snapshots")


def write(root: Path, name: str, content: str) -> None:
    """Write as the engine does: a new file under the old name."""
    path = root / "var/checkpoints" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.write_text(content)
    new.replace(path)


def read(root: Path) -> dict[str, str]:
    folder = root / "var/checkpoints"
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def restored(store: ObjectStore, root: Path) -> dict[str, str]:
    mirror(store, root).restore()
    return read(root)


def test_a_set_comes_back_whole_and_only_once(store: ObjectStore, tmp_path: Path) -> None:
    here = mirror(store, tmp_path / "a")
    assert not here.sync(), "no checkpoint yet"
    write(tmp_path / "a", "adapt/pseudo-labels/round-0.npy", "labels")
    assert not here.sync(), "labels alone are no checkpoint"
    write(tmp_path / "a", "adapt/training/last.pt", "one")
    (tmp_path / "a/var/checkpoints/adapt/training/.last.pt.x").write_text("unfinished")
    write(tmp_path / "a", "adapt/pseudo-labels/tmpabc/maps", "unfinished")
    assert here.sync()
    assert not here.sync(), "nothing is new"
    assert restored(store, tmp_path / "b") == {
        "adapt/pseudo-labels/round-0.npy": "labels",
        "adapt/training/last.pt": "one",
    }


def test_a_newer_set_replaces_the_older_and_leaves_nothing_behind(store: ObjectStore, tmp_path: Path) -> None:
    here = mirror(store, tmp_path / "a")
    for content in ("one", "two", "three"):
        write(tmp_path / "a", "train/last.pt", content)
        assert here.sync()
    assert len(store.list(PREFIX)) == 2
    there = mirror(store, tmp_path / "b")
    assert there.restore()
    write(tmp_path / "b", "train/last.pt", "four")
    assert there.sync()
    assert len(store.list(PREFIX)) == 2
    assert restored(store, tmp_path / "c") == {"train/last.pt": "four"}
    there.discard()
    assert not store.list(PREFIX)
    assert restored(store, tmp_path / "d") == {}


def test_the_last_set_stays_when_the_stage_removes_its_checkpoint(store: ObjectStore, tmp_path: Path) -> None:
    here = mirror(store, tmp_path / "a")
    write(tmp_path / "a", "train/last.pt", "one")
    here.sync()
    (tmp_path / "a/var/checkpoints/train/last.pt").unlink()
    assert not here.sync()
    assert restored(store, tmp_path / "b") == {"train/last.pt": "one"}


class InterferingStore(FolderObjects):
    """Store that does something between the steps of an upload."""

    def __init__(self, root: Path, meddle: Callable[[], None]) -> None:
        super().__init__(root)
        self.meddle = meddle

    def upload(self, key: str, path: Path) -> None:
        self.meddle()
        super().upload(key, path)


def test_a_checkpoint_replaced_while_it_is_sent_is_sent_as_it_was(tmp_path: Path) -> None:
    store = InterferingStore(
        tmp_path / "objects", lambda: write(tmp_path / "a", "train/last.pt", "two, longer")
    )
    write(tmp_path / "a", "train/last.pt", "one")
    here = mirror(store, tmp_path / "a")
    assert here.sync()
    assert restored(store, tmp_path / "b") == {"train/last.pt": "one"}
    assert here.sync(), "the newer one is sent next"
    assert restored(store, tmp_path / "c") == {"train/last.pt": "two, longer"}


def test_an_upload_that_breaks_off_leaves_the_older_set(tmp_path: Path) -> None:
    def refuse() -> None:
        if broken:
            raise SourceUnavailableError("gone", next_step="wait")

    broken: list[int] = []
    store = InterferingStore(tmp_path / "objects", refuse)
    here = mirror(store, tmp_path / "a")
    write(tmp_path / "a", "train/last.pt", "one")
    here.sync()
    broken.append(1)
    write(tmp_path / "a", "train/last.pt", "two")
    with pytest.raises(SourceUnavailableError):
        here.sync()
    assert restored(store, tmp_path / "b") == {"train/last.pt": "one"}
    broken.clear()
    assert here.sync()
    assert restored(store, tmp_path / "c") == {"train/last.pt": "two"}


@pytest.mark.parametrize("damage", ["manifest", "file", "lost file"])
def test_a_damaged_set_is_ignored(
    store: ObjectStore, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "a", "train/last.pt", "one")
    write(tmp_path / "a", "train/other", "two")
    mirror(store, tmp_path / "a").sync()
    names = [info.key for info in store.list(PREFIX)]
    victim = next(name for name in names if name.endswith("manifest.json") == (damage == "manifest"))
    if damage == "lost file":
        store.delete(victim)
    else:
        store.put(victim, store.get(victim)[:-3])
    assert restored(store, tmp_path / "b") == {}
    assert "checkpoint ignored" in caplog.text


def test_a_watched_folder_is_sent_without_being_asked(store: ObjectStore, tmp_path: Path) -> None:
    here = mirror(store, tmp_path / "a")
    write(tmp_path / "a", "train/last.pt", "one")
    with here.watching():
        while not store.exists(f"{PREFIX}/manifest.json"):
            pass
    assert restored(store, tmp_path / "b") == {"train/last.pt": "one"}
