"""Processes of local mode: their output, their end, their environment."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stormsight_dags.airflow.process_operator import Process, process_environment
from stormsight_dags.settings.load import load_settings
from tests.conftest import ROOT

# A training that traps SIGTERM, with a child of its own that must get the signal as well.
TRAINING = """\
trap 'echo checkpoint; wait; exit 143' TERM
bash -c "trap 'echo child ends; exit 0' TERM; echo child \\$\\$; while :; do sleep 0.05; done" &
echo ready
while :; do sleep 0.05; done
"""


def process(*command: str, tmp_path: Path) -> Process:
    return Process(command, {"PATH": os.environ["PATH"]}, tmp_path)


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
        raise RuntimeError("the worker has to stop")

    with pytest.raises(RuntimeError):
        talking.run(fail)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)
    running.terminate()  # before its start: nothing to end


def test_a_command_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stormsight_dags.airflow.process_operator.GRACE_S", 0.2)
    stubborn = process("bash", "-c", "trap '' TERM; echo on; exec sleep 60", tmp_path=tmp_path)
    with pytest.raises(subprocess.SubprocessError):
        stubborn.run(lambda _: (_ for _ in ()).throw(subprocess.SubprocessError))


WORKER = """\
import os, sys
from pathlib import Path
from stormsight_dags.airflow.process_operator import Process
command = "trap 'echo ended > mark; exit 143' TERM; echo ready; while :; do sleep 0.05; done"
process = Process(["bash", "-c", command], dict(os.environ), Path(sys.argv[1]))
process.run(lambda line: print(line, flush=True))
"""


def test_a_killed_worker_takes_its_command_along(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dags'}"},
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


def test_commands_get_the_settings_and_none_of_airflows_secrets(tmp_path: Path) -> None:
    inherited = {
        "PATH": "/usr/bin",
        "AWS_SECRET_ACCESS_KEY": "given by the user",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://u:p@h/d",
        "_AIRFLOW_X": "1",
    }
    environment = process_environment(load_settings({}), inherited, tmp_path / "report.json")
    assert not [name for name in environment if "AIRFLOW" in name]
    assert environment["AWS_SECRET_ACCESS_KEY"] == "given by the user"
    assert environment["STORMSIGHT_REPORT"] == str(tmp_path / "report.json")
    assert environment["STORMSIGHT_OBJECTS"].endswith("var/objects")
    assert environment["PATH"].endswith(":/usr/bin")
