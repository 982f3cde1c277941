"""Progress of a stage is bytes; without any it stalls, after a warning."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.runs.progress import Counters, ProgressWatch, transferred_bytes


class Stage:
    """Counters and clock of a stage that does what a test says."""

    def __init__(self, limit_s: float) -> None:
        self.counters: Counters = {1: (0, 0)}
        self.now = 0.0
        self.watch = ProgressWatch(
            1, "optical", limit_s, read=lambda _: {**self.counters}, clock=lambda: self.now
        )

    def stalls_after(self, seconds: float) -> bool:
        """Return whether it stalls at some look of the next ``seconds``."""
        end = self.now + seconds
        while self.now < end:
            self.now += 10
            if self.watch.stalled():
                return True
        return False


def test_silence_is_a_stall_after_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage(3600)
    assert not stage.stalls_after(1700)
    assert caplog.text == ""
    assert not stage.stalls_after(1800)
    assert caplog.text.count("no step, no log line and no byte for 30 minutes") == 1
    assert stage.stalls_after(200)


@pytest.mark.parametrize(
    "counters",
    [{1: (1, 0)}, {1: (0, 1)}, {1: (0, 0), 2: (0, 0)}, {2: (0, 0)}],
    ids=["read", "written", "new", "gone"],
)
def test_a_byte_or_a_process_is_progress(counters: Counters) -> None:
    stage = Stage(3600)
    assert not stage.stalls_after(3500)
    stage.counters = counters
    assert not stage.stalls_after(3500)
    assert stage.stalls_after(200)


def test_where_the_kernel_shows_no_counters_nothing_is_killed() -> None:
    stage = Stage(3600)
    stage.counters = {}
    assert not stage.stalls_after(20_000)


def test_the_bytes_of_a_process_are_counted(tmp_path: Path) -> None:
    before = transferred_bytes(os.getpid())
    (tmp_path / "file").write_bytes(b"x" * 1000)
    after = transferred_bytes(os.getpid())
    assert after[os.getpid()][1] >= before[os.getpid()][1] + 1000
    assert transferred_bytes(2**22 + 1) == {}, "a process that has ended has none"
