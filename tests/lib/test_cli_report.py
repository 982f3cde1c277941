"""Report that a failing command leaves for the orchestrator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from components.contract.errors import BadDataError, SourceUnavailableError
from components.lib import cli


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    monkeypatch.setenv(cli.REPORT, str(path))
    return path


def leaves(main: Callable[[], int | None]) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    assert len(content) <= cli.REPORT_BYTES
    document: dict[str, Any] = json.loads(content)
    return document


def test_an_expected_failure_says_class_code_message_and_next_step(report: Path) -> None:
    def main() -> NoReturn:
        raise BadDataError("tile_7: no data", next_step="download it again")

    assert leaves(main) == 65
    assert read(report) == {
        "class": "bad_data",
        "exit_code": 65,
        "message": "tile_7: no data",
        "next_step": "download it again",
    }


def test_a_bug_is_a_code_error_with_its_type_and_keeps_its_traceback(report: Path) -> None:
    def main() -> NoReturn:
        raise KeyError("x\nsecond line")

    with pytest.raises(KeyError):
        cli.run(main)
    found = read(report)
    assert (found["class"], found["exit_code"]) == ("code_error", 1)
    assert found["message"] == "KeyError: 'x\\nsecond line'"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (99, "nothing_to_do"),
        (143, "terminated"),
        (137, "out_of_memory"),
        (139, "crashed"),
        (134, "crashed"),
        (2, "code_error"),
        (77, "gate_refused"),
    ],
)
def test_a_bare_exit_code_has_a_class_too(report: Path, code: int, name: str) -> None:
    assert leaves(lambda: code) == code
    assert (read(report)["class"], read(report)["exit_code"]) == (name, code)


def test_what_the_command_says_itself_wins_over_its_exit_code(report: Path) -> None:
    def main() -> int:
        cli.report_failure(99, "the set is trained already", "land an acquisition")
        return 99

    assert leaves(main) == 99
    assert read(report)["message"] == "the set is trained already"


def test_success_leaves_nothing_but_what_was_asked_for(report: Path) -> None:
    assert leaves(lambda: None) == 0
    assert not report.exists()


def test_a_result_is_reported(report: Path) -> None:
    leaves(lambda: cli.report_result({"key": "abc"}))
    assert read(report) == {"class": "ok", "result": {"key": "abc"}}


def test_a_long_result_loses_its_largest_value_and_says_so(report: Path) -> None:
    leaves(lambda: cli.report_result({"key": "abc", "acquisitions": ["x" * 60] * 100}))
    assert read(report) == {"class": "ok", "result": {"key": "abc"}, "omitted": ["acquisitions"]}


@pytest.mark.parametrize("text", ["long " * 5000, "ü€𝄞" * 5000, '"\\\n\x00' * 5000])
def test_a_long_message_is_cut_to_what_kubernetes_keeps(report: Path, text: str) -> None:
    def main() -> NoReturn:
        raise SourceUnavailableError(text, next_step=text)

    assert leaves(main) == 69
    assert read(report)["message"].endswith(" ...")


def test_a_lone_surrogate_does_not_hide_the_failure(report: Path) -> None:
    def main() -> NoReturn:
        raise BadDataError("strip \udce4", next_step="rename it")

    assert leaves(main) == 65
    assert read(report)["class"] == "bad_data"


def test_no_secret_reaches_the_report(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("DB_PASSWORD", "correct-horse")

    def main() -> NoReturn:
        raise RuntimeError(
            "wJalrXUtnFEMI correct-horse postgres://me:pw@db/x "
            "http://s3/b?X-Amz-Credential=AK/2026&X-Amz-Signature=beef AKIAABCDEFGHIJKLMNOP"
        )

    with pytest.raises(RuntimeError):
        cli.run(main)
    text = report.read_text()
    for secret in ("wJalr", "correct-horse", "me:pw", "AK/2026", "beef", "AKIAABCD"):
        assert secret not in text
    assert "postgres://***@db/x" in text


def test_a_command_that_this_one_starts_writes_no_report_over_it(report: Path) -> None:
    def main() -> int:
        assert cli.REPORT not in os.environ
        return 66

    leaves(main)
    assert read(report)["exit_code"] == 66


def test_a_report_that_cannot_be_written_hides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(cli.REPORT, str(tmp_path / "file" / "below"))

    def main() -> NoReturn:
        raise BadDataError("tile_7: no data", next_step="download it again")

    assert leaves(main) == 65
    assert "tile_7" in capsys.readouterr().err


def test_a_file_in_a_folder_that_cannot_be_written_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mimic ``/dev/termination-log`` of a pod: a mounted file, which nothing can be renamed over."""
    path = tmp_path / "termination-log"
    path.write_text("x" * 9000)

    def refused(*args: object) -> NoReturn:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setenv(cli.REPORT, str(path))
    monkeypatch.setattr(cli, "write_text", refused)
    assert leaves(lambda: 71) == 71
    assert read(path)["class"] == "resource"


def test_sigterm_leaves_with_143_and_cleans_up(tmp_path: Path, repository: Path) -> None:
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from components.lib.cli import run\n"
        "from components.lib.files import atomic_file\n"
        "def main():\n"
        f"    with atomic_file(Path({str(tmp_path / 'out')!r})):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "run(main)\n"
    )
    environment = {**os.environ, cli.REPORT: str(tmp_path / "report")}
    done = subprocess.run([sys.executable, "-c", script], cwd=repository, env=environment, check=False)
    assert done.returncode == 143
    assert read(tmp_path / "report")["class"] == "terminated"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report"]
