from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from components.contract.errors import ResourceError
from components.contract.temporary import PREFIX, remove_unlocked, scratch_folder

KILLED_AT_WORK = """
import os, signal
from components.contract.temporary import scratch_folder

with scratch_folder("model") as folder:
    (folder / "weights").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_process_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_WORK], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(f"{PREFIX}model-")
    foreign = tmp_path / "stormsight-of-somebody"
    foreign.mkdir()
    with scratch_folder("gx", tmp_path) as first, scratch_folder("gx", tmp_path) as beside:
        assert sorted(tmp_path.iterdir()) == sorted([first, beside, foreign])  # living owners keep theirs
    assert list(tmp_path.iterdir()) == [foreign]


def test_a_scratch_folder_goes_with_what_is_in_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), scratch_folder("gx", tmp_path) as folder:
        (folder / "page.html").touch()
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_temporary_folder_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with (
        pytest.raises(ResourceError, match="no temporary folder can be made: No usable") as caught,
        scratch_folder("gx"),
    ):
        pass
    assert "TMPDIR" in caught.value.next_step


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (tmp_path / "link").symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        remove_unlocked(tmp_path / name)  # an open that waited for a writer would never return
    assert target.is_dir()
    assert (tmp_path / "link").is_symlink()
