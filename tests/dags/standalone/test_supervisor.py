"""Parts in order, owned and ended together: with stand-in programs instead of Airflow's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.contract.errors import ParameterError, SourceUnavailableError
from stormsight_dags.standalone.__main__ import main, port_of, require_port
from stormsight_dags.standalone.part import GRACE_S
from tests.conftest import ROOT

PATIENCE_S = 60.0


@dataclass
class Trial:
    """A supervisor with stand-in programs."""

    folder: Path
    process: subprocess.Popen[str]
    port: int

    def notes(self) -> dict[str, int]:
        """Process ids by what the programs noted, in their order."""
        path = self.folder / "notes"
        lines = path.read_text().splitlines() if path.exists() else []
        return {word: int(pid) for word, pid in (line.split() for line in lines)}

    def wait_for(self, what: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline, self.notes()
            time.sleep(0.05)

    def wait_until_all_run(self) -> None:
        self.wait_for(lambda: {"triggerer-starts", "task"} <= set(self.notes()))

    def living(self) -> list[str]:
        return [word for word, pid in self.notes().items() if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start(folder: Path, *failing: str, stdout: int | None = subprocess.PIPE) -> Trial:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dags'}"}
    command = [sys.executable, "-m", "tests.dags.standalone.trial", str(folder), str(port), *failing]
    process = subprocess.Popen(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True)
    return Trial(folder, process, port)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    made = start(tmp_path)
    yield made
    made.process.kill()
    made.process.communicate()


def test_the_others_start_once_the_api_answers(trial: Trial) -> None:
    trial.wait_until_all_run()
    words = list(trial.notes())
    assert words[:3] == ["database", "api-starts", "api-answers"]
    assert {"scheduler-starts", "triggerer-starts"} <= set(words[3:])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_in_seconds(trial: Trial, number: signal.Signals) -> None:
    """Even a scheduler that does not end when asked, which it is once, and what its tasks started."""
    trial.wait_until_all_run()
    trial.process.send_signal(number)
    trial.process.send_signal(number)
    assert trial.process.wait(GRACE_S + 20) == 0
    assert trial.living() == []
    assert (trial.folder / "notes").read_text().count("scheduler-asked") == 1


def test_killed_it_leaves_nothing_behind_and_can_start_again(trial: Trial) -> None:
    trial.wait_until_all_run()
    trial.process.kill()
    trial.wait_for(lambda: trial.living() == [], GRACE_S + 20)
    require_port("127.0.0.1", trial.port)
    again = start(trial.folder)
    trial.wait_for(lambda: (trial.folder / "notes").read_text().count("api-answers") == 2)
    again.process.terminate()
    assert again.process.wait(GRACE_S + 20) == 0


def test_a_reader_that_has_gone_does_not_keep_it_running(tmp_path: Path) -> None:
    """Ctrl-C ends ``| head`` or ``| tee`` as well, and lines go nowhere then."""
    trial = start(tmp_path)
    trial.wait_until_all_run()
    assert trial.process.stdout is not None
    trial.process.stdout.close()
    trial.process.send_signal(signal.SIGINT)
    assert trial.process.wait(GRACE_S + 20) == 0
    assert trial.living() == []


def test_a_part_that_ends_by_itself_ends_all_with_its_last_words(tmp_path: Path) -> None:
    trial = start(tmp_path, "fail")
    _, errors = trial.process.communicate(timeout=PATIENCE_S)
    assert trial.process.returncode == SourceUnavailableError.exit_code
    assert "triggerer ended by itself with exit code 3" in errors
    assert "the reason" in errors
    assert "triggerer.log" in errors
    assert "Traceback" not in errors
    assert trial.living() == []


def test_a_second_one_on_the_same_state_is_refused(trial: Trial) -> None:
    trial.wait_until_all_run()
    second = start(trial.folder)
    _, errors = second.process.communicate(timeout=PATIENCE_S)
    assert second.process.returncode == SourceUnavailableError.exit_code
    assert "running already" in errors
    assert "triggerer-starts" in trial.living()


def test_a_port_that_is_taken_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("AIRFLOW__API__PORT", str(port))
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
        assert main() == SourceUnavailableError.exit_code
    errors = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is taken" in errors
    assert "make airflow AIRFLOW__API__PORT=" in errors
    assert not (tmp_path / "airflow").exists()


@pytest.mark.parametrize("text", ["", "eighty", "0", "65536", "8080.5", "-1", "٨٠", "9" * 5000])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="AIRFLOW__API__PORT"):
        port_of(text)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"192\.0\.2\.1"):
        require_port("192.0.2.1", 8080)
