"""The process supervisor: output, stopping, and the end with the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.contract.processes import (
    ChildProcess,
    ParentDeath,
    StopRequest,
    exit_with_parent,
    file_lock,
)
from tests.conftest import ROOT

# A training that traps SIGTERM, with a child of its own that must get the signal as well.
TRAINING = """\
trap 'echo checkpoint; wait; exit 143' TERM
bash -c "trap 'echo child ends; exit 0' TERM; echo child \\$\\$; while :; do sleep 0.05; done" &
echo ready
while :; do sleep 0.05; done
"""


def process(*command: str, tmp_path: Path, **more: Any) -> ChildProcess:
    return ChildProcess(command, {"PATH": os.environ["PATH"]}, tmp_path, **more)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """False for a process that is gone or, where nothing reaps orphans, a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_lines_arrive_while_it_runs(tmp_path: Path) -> None:
    lines: list[tuple[str, float]] = []
    command = "echo one; echo two >&2; sleep 0.3; pwd; exit 7"
    code = process("bash", "-c", command, tmp_path=tmp_path).run(
        lambda line: lines.append((line, time.monotonic()))
    )
    assert code == 7
    assert [line for line, _ in lines] == ["one", "two", str(tmp_path)]
    assert lines[2][1] - lines[0][1] > 0.2


def test_a_signal_reaches_all_it_started_and_is_waited_for(tmp_path: Path) -> None:
    running, lines = process("bash", "-c", TRAINING, tmp_path=tmp_path), list[str]()
    both = threading.Event()

    def say(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            both.set()

    def end() -> None:
        both.wait(30)
        running.terminate()

    killer = threading.Thread(target=end)
    killer.start()
    code = running.run(say)
    killer.join()
    assert code == 143
    assert {"checkpoint", "child ends"} <= set(lines)
    (child,) = (line.split()[1] for line in lines if line.startswith("child ") and line[6:].isdigit())
    with pytest.raises(ProcessLookupError):
        os.kill(int(child), 0)


def test_a_broken_watch_leaves_no_process_behind(tmp_path: Path) -> None:
    running = process("sleep", "60", tmp_path=tmp_path)
    talking = process("bash", "-c", "echo $$; exec sleep 60", tmp_path=tmp_path)
    seen: list[int] = []

    def fail(line: str) -> None:
        seen.append(int(line))
        raise RuntimeError("the worker is told to stop")

    with pytest.raises(RuntimeError):
        talking.run(fail)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)
    running.terminate()  # before its start: nothing to end


def test_a_command_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    stubborn = process("bash", "-c", "trap '' TERM; echo on; exec sleep 60", tmp_path=tmp_path, grace_s=0.2)
    with pytest.raises(subprocess.SubprocessError):
        stubborn.run(lambda _: (_ for _ in ()).throw(subprocess.SubprocessError))
    assert stubborn.wait(0) == 128 + signal.SIGKILL


WORKER = """\
import os, sys
from pathlib import Path
from components.contract.processes import ChildProcess, ParentDeath
command = "trap 'echo ended > mark; exit 143' TERM; echo ready; while :; do sleep 0.05; done"
process = ChildProcess(
    ["bash", "-c", command], dict(os.environ), Path(sys.argv[1]), parent_death=ParentDeath.TERMINATE
)
process.run(lambda line: print(line, flush=True))
"""


def test_a_killed_worker_takes_its_command_along(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        assert any(line == "ready\n" for line in worker.stdout)
        worker.kill()
    deadline = time.monotonic() + 30
    while not (tmp_path / "mark").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (tmp_path / "mark").exists()


CHILD = """\
import os, subprocess, sys, time
from components.contract.processes import end_with_parent
end_with_parent()
grandchild = subprocess.Popen(["sleep", "60"])
print(grandchild.pid, flush=True)
time.sleep(60)
"""


def test_a_child_whose_input_ends_takes_its_own_children_along(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        child = ChildProcess(
            [sys.executable, "-c", CHILD],
            {**os.environ, "PYTHONPATH": str(ROOT)},
            tmp_path,
            output=output,
            parent_death=ParentDeath.CLOSE_INPUT,
        )
        with child:
            until(lambda: log.read_text().endswith("\n"))
            os.kill(int(log.read_text()), 0)
            assert child._process is not None
            assert child._process.stdin is not None
            child._process.stdin.close()  # as the kernel does when this process is killed
            assert child.wait(30) == 128 + signal.SIGKILL
    until(lambda: not alive(int(log.read_text())))


def test_sigterm_is_sent_once(tmp_path: Path) -> None:
    script = "trap 'echo asked >> asked' TERM; echo ready > ready; while [ ! -e end ]; do sleep 0.05; done"
    with process("bash", "-c", script, tmp_path=tmp_path) as child:
        until((tmp_path / "ready").exists)
        child.terminate()
        until((tmp_path / "asked").exists)
        child.terminate()
        assert child.wait(0.3) is None
        (tmp_path / "end").touch()
        assert child.wait(30) == 0
    assert (tmp_path / "asked").read_text() == "asked\n"
    child.terminate()  # after its end: nothing to end


def test_a_child_holds_an_inherited_lock_as_long_as_it_lives(tmp_path: Path) -> None:
    lock = tmp_path / "folder/lock"
    with file_lock(lock) as descriptor:
        child = process("sleep", "60", tmp_path=tmp_path, inherited=(descriptor,))
        child.start()
    with pytest.raises(BlockingIOError), file_lock(lock):
        pass
    child.stop()
    with file_lock(lock):
        pass


def test_a_second_request_changes_nothing() -> None:
    stop = StopRequest()
    with stop.watching():
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.received


POOL = """\
import os, signal, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from components.contract.processes import exit_with_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), exit_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_pools_process_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL)
    log = tmp_path / "log"
    with log.open("w") as out:
        command, environment = [sys.executable, str(script)], {**os.environ, "PYTHONPATH": str(ROOT)}
        code = subprocess.run(command, stdout=out, env=environment, check=False).returncode
    assert code == -signal.SIGKILL
    until(lambda: not alive(int(log.read_text())))


def test_a_process_of_another_origin_has_no_parent_to_watch() -> None:
    with pytest.raises(RuntimeError, match="multiprocessing"):
        exit_with_parent()


def test_every_pool_of_processes_ends_with_its_parent() -> None:
    sources = {path: path.read_text() for path in (ROOT / "components").rglob("*.py")}
    pools = [path for path, text in sources.items() if "ProcessPoolExecutor(" in text]
    assert len(pools) >= 3
    assert [path for path in pools if "exit_with_parent" not in sources[path]] == []
