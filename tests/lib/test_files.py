from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError, ResourceError
from components.contract.hashing import sha256_bytes, sha256_file
from components.lib.files import atomic_directory, atomic_file, read_json, require_replaceable, write_json


def test_an_interrupted_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_file(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_directory_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "store"
    target.mkdir()
    (target / "stale").write_text("x")
    with atomic_directory(target) as temporary:
        (temporary / "fresh").write_text("y")
    assert [p.name for p in target.iterdir()] == ["fresh"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_to_a_folder_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    """Results on a larger disk stay there, however often they are made."""
    link, target = tmp_path / "data", tmp_path / "disk" / "data"
    target.mkdir(parents=True)
    (target / "old").touch()
    link.symlink_to(target)
    for _ in range(2):
        with atomic_directory(link) as folder:
            (folder / "new").touch()
        assert [path.name for path in target.iterdir()] == ["new"]
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "disk"]


@pytest.mark.parametrize("moment", ["before it is retired", "after it was retired"])
def test_two_processes_that_replace_a_folder_at_once_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The other one retires the folder in between, or has already put its own there."""
    target, rename, others = tmp_path / "store", Path.rename, list[str]()
    (target / "old").mkdir(parents=True)

    def interrupted(self: Path, to: Path) -> Path:
        if not others and (to == target) == (moment == "after it was retired"):
            others.append(moment)
            if to == target:
                (target / "other").mkdir(parents=True)
            else:
                rename(target, tmp_path / "elsewhere")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with atomic_directory(target) as folder:
        (folder / "new").touch()
    assert others == [moment]
    assert [path.name for path in target.iterdir()] == ["new"]
    assert not list(tmp_path.glob(".*"))


def test_only_results_of_the_same_kind_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for new_or_empty in (tmp_path / "new", tmp_path / "photos"):
        require_replaceable(new_or_empty, "store.json", "a store")
    (tmp_path / "photos" / "a.jpg").touch()
    for foreign in (tmp_path / "photos", tmp_path / "photos" / "a.jpg"):
        with pytest.raises(ParameterError, match="holds something else than a store"):
            require_replaceable(foreign, "store.json", "a store")
    (tmp_path / "photos" / "store.json").touch()
    require_replaceable(tmp_path / "photos", "store.json", "a store")


def test_a_failed_directory_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "store"
    target.mkdir()
    (target / "kept").write_text("x")
    with pytest.raises(RuntimeError), atomic_directory(target) as temporary:
        (temporary / "half").write_text("y")
        raise RuntimeError
    assert [p.name for p in target.iterdir()] == ["kept"]
    assert list(tmp_path.iterdir()) == [target]


def test_json_refuses_nan_and_round_trips(tmp_path: Path) -> None:
    write_json(tmp_path / "m.json", {"b": 1, "a": [2.5]})
    assert list(json.loads((tmp_path / "m.json").read_text())) == ["a", "b"]
    assert read_json(tmp_path / "m.json", made_by="optical") == {"a": [2.5], "b": 1}
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "n.json", {"iou": float("nan")})
    assert not (tmp_path / "n.json").exists()


def test_a_missing_input_names_the_stage_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="dvc repro prepare"):
        read_json(tmp_path / "absent.json", made_by="prepare")


def test_checksums_agree(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"radar")
    assert sha256_file(tmp_path / "f") == sha256_bytes(b"radar")


KILLED_IN_A_WRITE = """
import os, signal, sys
from pathlib import Path
from components.lib.files import atomic_directory, atomic_file

kind, target = sys.argv[1], Path(sys.argv[2])
with {"file": atomic_file, "folder": atomic_directory}[kind](target) as temporary:
    (temporary if kind == "file" else temporary / "half").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "prepared"
    done = subprocess.run([sys.executable, "-c", KILLED_IN_A_WRITE, kind, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".prepared.")
    other = tmp_path / ".other.left"
    other.touch()
    write = {"file": atomic_file, "folder": atomic_directory}[kind]
    with write(target) as first, write(target) as beside:  # a living writer's is left alone
        assert first.exists()
        assert beside.exists()
        for temporary in (first, beside):
            (temporary if kind == "file" else temporary / "whole").write_text("whole")
    assert sorted(tmp_path.iterdir()) == [other, target]


def test_a_write_killed_between_its_renames_has_the_former_folder_put_back(tmp_path: Path) -> None:
    target = tmp_path / "store"
    (tmp_path / ".store.retired").mkdir()
    (tmp_path / ".store.retired" / "former").touch()
    with pytest.raises(RuntimeError), atomic_directory(target):
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["former"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{", b"[" * 100_000, None])
def test_what_is_no_json_is_named_with_its_stage(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "verdict.json"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(BadDataError, match=r"verdict\.json is no JSON") as caught:
        read_json(path, made_by="validate")
    assert "dvc repro --force validate" in caught.value.next_step


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS])
@pytest.mark.parametrize("publish", [atomic_file, atomic_directory])
def test_a_full_or_read_only_disk_is_a_lack_of_resources(
    number: int, publish: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    target = tmp_path / "new" / "result"
    with pytest.raises(ResourceError, match=re.escape(f"{target.parent} cannot be written")), publish(target):
        raise OSError(number, os.strerror(number))
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("publish", [atomic_file, atomic_directory])
def test_a_file_in_the_place_of_a_folder_is_named(
    publish: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="file/sub cannot be written"), publish(tmp_path / "file/sub/x"):
        pass


def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to(os.devnull)
    for name in ("pipe", "null"):
        with (
            pytest.raises(ResourceError, match=f"{name} is a device or a pipe"),
            atomic_file(tmp_path / name),
        ):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["null", "pipe"]


def test_a_folder_that_no_disk_holds_is_named() -> None:
    target = Path("/proc/no-such-process/result")
    with pytest.raises(ResourceError, match="no-such-process cannot be made"), atomic_file(target):
        pass
