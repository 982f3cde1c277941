"""Frame of every command: logging, expected failures in two lines, a report for the orchestrator.

Where ``STORMSIGHT_REPORT`` names a file, a command that fails leaves JSON of at most ``REPORT_BYTES`` there::

    {"class": "bad_data", "exit_code": 65, "message": "...", "next_step": "..."}

and one that succeeds may leave ``{"class": "ok", "result": {...}}`` (:func:`report_result`). A failure with
a ``"notice"``, the name of an event, is told to people although the orchestrator skips what follows. In a pod
the file is ``/dev/termination-log``, which the orchestrator reads with the pod's status.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import select
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO, cast

from components.contract.documents import shortened
from components.contract.errors import MissingInputError, ParameterError, ResourceError, StormsightError
from components.contract.failures import FAILURE_CLASSES, NOTHING_TO_DO, TERMINATED, FailureKind, kind_of_exit
from components.contract.redacted_streams import RedactedStream, redacted_output
from components.contract.redaction import redact, redact_values
from components.contract.variables import LOG_LEVELS, check_variables
from components.lib.disk import resource_failure
from components.lib.files import write_text

CHATTY = ("alembic", "botocore", "great_expectations", "matplotlib", "mlflow", "rasterio", "urllib3")
"""Libraries whose progress notes bury ours; their warnings still show."""

READER_LEFT = 128 + signal.SIGPIPE
"""Exit code of a command whose output nobody reads any more, as shells give it."""

REPORT = "STORMSIGHT_REPORT"
"""Environment variable that names the report's file."""

REPORT_BYTES = 4000
"""Kubernetes cuts a termination message at 4096."""

LONGEST_REASON = 500
"""Characters of a reason that a ledger keeps."""

_LOG = logging.getLogger(__name__)


def run(main: Callable[[], int | None]) -> NoReturn:
    """Run ``main`` and exit with its code, or with the exit code of the failure class it raised.

    A ``StormsightError`` is a user's or an operator's matter and is printed without a traceback, as is a disk
    that is full or read-only, wherever it was noticed; anything else is our bug and keeps its traceback.
    SIGTERM leaves with 143 after cleaning up, as process 1 of a container too, where it would be ignored
    otherwise. ``STORMSIGHT_LOG`` sets the log level (default ``INFO``). Environment variables are checked
    first. A reader that leaves (``... | head``) ends the command without a word. Standard output and error
    are redacted, line by line; one that was closed (``>&-``) takes what is written and keeps nothing.
    """
    _open_closed_streams()
    try:
        with redacted_output():
            _set_up_logging()
            with _REPORTER.taken_from_environment(), _sigterm_raises():
                code = _exit_code(main)
    finally:
        _reader_left()  # or else the interpreter says so at its end
    sys.exit(code)


def comma_list(text: str) -> list[str] | None:
    """Return the words in a list with commas; None for an empty one. A type of ``argparse``."""
    return [word for word in (part.strip() for part in text.split(",")) if word] or None


def reason(text: str) -> str:
    """Return a reason that a ledger keeps, its ends stripped: one line of plain text. A type of ``argparse``.

    Raises:
        ParameterError: If it is empty, too long, or has unprintable characters.
    """
    words = text.strip()
    if not words or not words.isprintable() or len(words) > LONGEST_REASON:
        raise ParameterError(
            f"--reason is one line of 1 to {LONGEST_REASON} characters",
            next_step="shorten or state the reason",
        )
    return words


def report_result(result: Mapping[str, Any]) -> None:
    """Leave ``result`` (JSON values) as the command's report, redacted; a hint, never the truth itself.

    The largest values are left out, and named under ``omitted``, if the whole would be too long.
    """
    kept, omitted = cast("dict[str, Any]", redact_values(dict(result))), list[str]()
    while len(content := _encoded({"class": "ok", "result": kept, "omitted": omitted})) > REPORT_BYTES:
        largest = max(kept, key=lambda name: len(_encoded(kept[name])))
        del kept[largest]
        omitted.append(largest)
    _REPORTER.write(content if omitted else _encoded({"class": "ok", "result": kept}))


def report_failure(exit_code: int, message: str, next_step: str, *, notice: str = "") -> None:
    """Leave a failure as the command's report; a command that returns ``exit_code`` itself calls this.

    Args:
        exit_code: Exit code of the command.
        message: Description of the failure.
        next_step: Action for the reader.
        notice: Event that people are told of, though the orchestrator skips what follows.
    """
    length = REPORT_BYTES
    while True:
        content = _encoded(
            {
                "class": kind_of_exit(exit_code),
                "exit_code": exit_code,
                "message": shortened(redact(message), length),
                "next_step": shortened(redact(next_step), length // 4),
                **({"notice": notice} if notice else {}),
            }
        )
        if len(content) <= REPORT_BYTES:
            break
        length = length * 3 // 4
    _REPORTER.write(content)


def _set_up_logging() -> None:
    level = (os.environ.get("STORMSIGHT_LOG") or "INFO").upper()
    logging.basicConfig(
        level=level if level in LOG_LEVELS else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    # Tiles are also handled as plain pixels, on purpose; rasterio remarks on it once per tile.
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")
    for library in CHATTY:
        logging.getLogger(library).setLevel(logging.WARNING)


def _exit_code(main: Callable[[], int | None]) -> int:
    """Return the exit code of ``main`` and report its failure; a bug is reported and raised."""
    try:
        check_variables()
        _require_working_folder()
        code = main() or 0
        _finish(sys.stdout)
    except StormsightError as error:
        return _expected_failure(error)
    except KeyboardInterrupt:
        _say("interrupted\n")
        report_failure(130, "interrupted", FAILURE_CLASSES[FailureKind.TERMINATED].next_step)
        return 130
    except SystemExit as leave:
        if isinstance(leave.code, int | None):
            _report_code(leave.code or 0)
            raise
        _say(f"{leave.code}\n")  # the interpreter would say it past the redaction
        _report_code(1)
        return 1
    except BrokenPipeError as error:
        if not _reader_left():
            report_failure(1, f"{type(error).__name__}: {error}", "a bug: read the traceback in the log")
            raise
        return READER_LEFT
    except BaseException as error:
        if (failure := resource_failure(error) or _impossible_path(error)) is not None:
            return _expected_failure(failure)
        text = (str(error).strip() or "no message").splitlines()[0]
        report_failure(1, f"{type(error).__name__}: {text}", "a bug: read the traceback in the log")
        raise
    _report_code(code)
    return code


def _impossible_path(error: BaseException) -> ParameterError | None:
    """Return the failure behind a path that no file system can hold; None if it was something else."""
    if not isinstance(error, OSError) or error.errno not in {errno.ENAMETOOLONG, errno.ELOOP}:
        return None
    name = shortened(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else "a path"
    return ParameterError(f"{name}: {error.strerror}", next_step="correct the path")


def _expected_failure(error: StormsightError) -> int:
    _say(f"error: {error}\n")
    report_failure(error.exit_code, error.message, error.next_step)
    return error.exit_code


def _open_closed_streams() -> None:
    """Put the null device where a standard stream was closed: Python has None there, and no file may."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for good


def _require_working_folder() -> None:
    """Check that the working folder is still there.

    Raises:
        MissingInputError: If it was removed.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise MissingInputError(
            f"the working folder is gone: {error.strerror}", next_step="change to the project's folder"
        ) from error


def _finish(stream: TextIO) -> None:
    """Write out what ``stream`` holds back, an unfinished line as well."""
    if isinstance(stream, RedactedStream):
        stream.finish()
    else:
        stream.flush()


def _say(text: str) -> None:
    """Write to standard error, if anybody still reads it."""
    with suppress(OSError):
        sys.stderr.write(text)


def _reader_left() -> bool:
    """Return True if standard output's reader has gone; what is left to write then goes nowhere."""
    try:
        sys.stdout.flush()
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        left = any(state & select.POLLERR for _, state in poll.poll(0))
    except BrokenPipeError:
        left = True
    except (OSError, ValueError):  # no file behind it, or closed
        return False
    if left:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return left


def _report_code(code: int) -> None:
    """Report a bare exit code, where the command left no report."""
    if code == 0 or _REPORTER.written:
        return
    words = {
        2: ("the command line is wrong", "read the usage in the log"),
        NOTHING_TO_DO: ("nothing to do", FAILURE_CLASSES[FailureKind.NOTHING_TO_DO].next_step),
        TERMINATED: ("terminated by SIGTERM", FAILURE_CLASSES[FailureKind.TERMINATED].next_step),
    }
    report_failure(code, *words.get(code, (f"exit code {code}", "read the log")))


class _Reporter:
    """Writer of this command's report. Commands that it starts must not write there: they get no path."""

    def __init__(self) -> None:
        self.path: Path | None = None
        self.written = False

    @contextmanager
    def taken_from_environment(self) -> Iterator[None]:
        path = os.environ.pop(REPORT, None)
        self.path, self.written = Path(path) if path else None, False
        try:
            yield
        finally:
            self.path = None

    def write(self, content: bytes) -> None:
        self.written = True
        if self.path is None:
            return
        text = content.decode()
        try:
            try:
                write_text(self.path, text)
            except (OSError, ResourceError):
                # A mount point, such as /dev/termination-log, can only be written in place.
                self.path.write_text(text, encoding="utf-8")
        except OSError as error:  # must not hide what was to be reported
            _LOG.warning("no report in %s: %s", self.path, error.strerror)


_REPORTER = _Reporter()


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into ``SystemExit(143)``, so that files are cleaned up; works in the main thread only."""

    def leave(number: int, frame: FrameType | None) -> None:
        del frame
        raise SystemExit(128 + number)

    try:
        previous = signal.signal(signal.SIGTERM, leave)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _encoded(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", errors="replace")
