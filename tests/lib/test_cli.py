from __future__ import annotations

import copy
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.contract.errors import (
    BadDataError,
    GateRefusedError,
    MissingInputError,
    ParameterError,
    ResourceError,
    SourceUnavailableError,
    StormsightError,
)
from components.lib import cli
from tests.conftest import ROOT


@pytest.mark.parametrize(("result", "code"), [(None, 0), (0, 0), (3, 3)])
def test_success_and_explicit_codes_pass_through(result: int | None, code: int) -> None:
    def main() -> int | None:
        return result

    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    assert caught.value.code == code


def test_an_expected_failure_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> None:
        raise BadDataError("tile_7: no data", next_step="download it again")

    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    assert caught.value.code == 65
    assert capsys.readouterr().err == "error: tile_7: no data\n  next step: download it again\n"


def test_a_full_disk_is_a_matter_of_the_machine_wherever_it_is_noticed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def main() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "data/prepared/index.parquet")

    with pytest.raises(SystemExit) as caught:
        cli.run(main)
    assert caught.value.code == 71
    told = capsys.readouterr().err
    assert "error: data/prepared/index.parquet cannot be read or written: No space left on device" in told
    assert "Traceback" not in told


def test_a_bug_keeps_its_traceback() -> None:
    def main() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        cli.run(main)


def test_every_failure_class_has_its_own_exit_code() -> None:
    """An orchestrator tells the classes apart by the code alone."""
    classes: list[type[StormsightError]] = [
        BadDataError,
        GateRefusedError,
        MissingInputError,
        ParameterError,
        ResourceError,
        SourceUnavailableError,
    ]
    assert len({c.exit_code for c in classes} | {0, 1, 2}) == len(classes) + 3


def test_a_failure_survives_the_way_out_of_a_worker_process() -> None:
    error = BadDataError("tile_7: no data", next_step="download it again")
    copied = copy.copy(error)
    assert (type(copied), str(copied)) == (BadDataError, str(error))


COMMAND = """
import sys
from components.lib import cli

def main():
    for number in range({lines}):
        print(f"line {{number}}")
    {then}

cli.run(main)
"""


def piped(lines: int, then: str = "return 0", **variables: str) -> tuple[int, str]:
    """Run a command whose output's reader leaves after one line; return its exit code and standard error."""
    command = [sys.executable, "-c", COMMAND.format(lines=lines, then=then)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if lines:
            process.stdout.readline()
        process.stdout.close()
        return process.wait(timeout=30), process.stderr.read()


def test_a_reader_that_leaves_ends_a_command_without_a_word() -> None:
    assert piped(100_000) == (cli.READER_LEFT, "")
    assert piped(0, "import time; time.sleep(0.5); print('late')") == (cli.READER_LEFT, "")


BAD_DATA = "raise __import__('components.contract.errors').contract.errors.BadDataError('x', next_step='y')"


@pytest.mark.parametrize(
    ("redirection", "then", "code"),
    [
        ("<&- >&- 2>&-", "return 0", 0),
        (">/dev/full", "sys.stdout.write('no end of line')", 71),
        (">/dev/full 2>/dev/full", "return 0", 71),
        ("2>&-", BAD_DATA, 65),
        (">&- 2>/dev/full", BAD_DATA, 65),
    ],
)
def test_streams_that_take_nothing_change_no_class_of_failure(redirection: str, then: str, code: int) -> None:
    lines = 0 if "no end" in then else 3
    done = subprocess.run(
        [
            "bash",
            "-c",
            f'exec "$@" {redirection}',
            "bash",
            sys.executable,
            "-c",
            COMMAND.format(lines=lines, then=then),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_a_working_folder_that_is_gone_and_an_impossible_path_are_told(tmp_path: Path) -> None:
    long = "open('a' * 5000)"
    for before, then, code in (("rmdir ../x", "return 0", 66), (":", long, 78)):
        (tmp_path / "x").mkdir(exist_ok=True)
        done = subprocess.run(
            [
                "bash",
                "-c",
                f'{before}; exec "$@"',
                "bash",
                sys.executable,
                "-c",
                COMMAND.format(lines=0, then=then),
            ],
            cwd=tmp_path / "x",
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert "next step: " in done.stderr


def test_another_broken_pipe_keeps_its_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(lines=1, then="raise BrokenPipeError('a socket')")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "BrokenPipeError: a socket" in done.stderr


def test_an_odd_variable_is_told_before_the_command_begins() -> None:
    for name, value in (("STORMSIGHT_LOG", "LOUD"), ("STORMSIGHT_OBJECTS", "README.md")):
        done = subprocess.run(
            [sys.executable, "-m", "components.acquisitions", "list"],
            cwd=ROOT,
            env={**os.environ, name: value},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 78
        assert done.stderr.startswith(f"error: {name}='{value}': ")
        assert "Traceback" not in done.stderr


def test_a_reason_is_one_line_of_bounded_length() -> None:
    assert cli.reason("  a cloud over the harbour ") == "a cloud over the harbour"
    for text in ("", "   ", "two\nlines", "a\x1b[2Jb", "x" * 501):
        with pytest.raises(ParameterError, match="one line of 1 to 500 characters"):
            cli.reason(text)
