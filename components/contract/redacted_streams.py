"""Redaction of text that comes in lines or in pieces: standard streams, and the output of other processes.

A piece may end in the middle of a credential, and a private key spans lines. So nothing leaves before its
line is whole, and the lines of a key are masked until its end.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TextIO, cast
from weakref import WeakSet

from components.contract.redaction import KEY_BEGIN, KEY_END, MASK, redact_known, secret_values

LONGEST_KEY = 500
"""Lines that are masked after the beginning of a private key whose end never comes."""

_LINE = re.compile(r"[^\r\n]*[\r\n]")


class LineRedactor:
    """Redaction of successive lines of one stream.

    Args:
        environment: Variables whose values are masked if their names are a secret's, as they are now.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._secrets = secret_values(environment)
        self._masked_lines = 0

    def __call__(self, line: str) -> str:
        """Return the next line without credentials; a line inside of a private key is masked whole."""
        if self._masked_lines:
            end = KEY_END.search(line)
            if end is None:
                self._masked_lines -= 1
                return MASK
            line = MASK + line[end.end() :]
        begun = [match.end() for match in KEY_BEGIN.finditer(line)]
        self._masked_lines = LONGEST_KEY if begun and not KEY_END.search(line, begun[-1]) else 0
        return redact_known(line, self._secrets)


class RedactedStream:
    """Text stream that hands on whole lines without credentials; everything else is the target's.

    Args:
        target: Stream to write to.
        environment: As for :class:`LineRedactor`.
        lossy: True drops what the target refuses; for standard error, where the exit code says the rest.
    """

    def __init__(
        self, target: TextIO, environment: Mapping[str, str] = os.environ, *, lossy: bool = False
    ) -> None:
        self._target = target
        self._refused: tuple[type[BaseException], ...] = (OSError,) if lossy else ()
        self._redact = LineRedactor(environment)
        self._pending = ""
        self._lock = threading.RLock()
        _STREAMS.add(self)

    def write(self, text: str) -> int:
        """Take ``text``, and write the lines that it completes."""
        with self._lock:
            # A signal's handler may write in the middle of this: it finds nothing pending.
            pending, self._pending = self._pending + text, ""
            lines = _LINE.findall(pending)
            self._pending = pending[sum(map(len, lines)) :]
            if lines:
                with suppress(*self._refused):
                    self._target.write("".join(self._redact(line[:-1]) + line[-1] for line in lines))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Take all ``lines``."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush what was written; a line that is not complete waits, as its rest may be a credential's."""
        with suppress(*self._refused):
            self._target.flush()

    def finish(self) -> None:
        """Write what is left; the stream stays usable."""
        with self._lock, suppress(*self._refused):
            rest, self._pending = self._pending, ""
            if rest:
                self._target.write(self._redact(rest))
            self._target.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the target has
        """Return an attribute of the target (``fileno``, ``encoding``, ``isatty``)."""
        return getattr(self._target, name)

    def _forked(self) -> None:
        """Forget what is the parent's: its unfinished line, and a lock that another thread may have held."""
        self._pending, self._lock = "", threading.RLock()


_STREAMS: WeakSet[RedactedStream] = WeakSet()


def _forked() -> None:
    for stream in list(_STREAMS):
        stream._forked()


os.register_at_fork(after_in_child=_forked)


@contextmanager
def redacted_output() -> Iterator[None]:
    """Redact what this process writes to standard output and error, and the traceback that ends it.

    What native code and other processes write to the same descriptors does not pass here: whoever starts
    processes reads their output (:meth:`components.contract.processes.ChildProcess.run`).
    """
    before = sys.stdout, sys.stderr
    streams = tuple(
        stream if _redacted(stream) else RedactedStream(stream, lossy=lossy)
        for stream, lossy in zip(before, (False, True), strict=True)
    )
    sys.stdout, sys.stderr = (cast("TextIO", stream) for stream in streams)
    # The interpreter prints the traceback after everything here was left.
    sys.excepthook = _print_traceback
    try:
        yield
    finally:
        for stream in streams:
            if isinstance(stream, RedactedStream):
                with suppress(OSError, ValueError):  # its reader has gone, its disk is full, or it was closed
                    stream.finish()
        sys.stdout, sys.stderr = before


def _redacted(stream: object) -> bool:
    return stream is None or isinstance(stream, RedactedStream)


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    redacted = LineRedactor()
    text = "".join(traceback.format_exception(kind, error, trace))
    if sys.stderr is not None:
        sys.stderr.write("".join(redacted(line) + "\n" for line in text.splitlines()))
