"""Child processes in sessions of their own: start, output, stop, and an end with the parent.

Standard library only, so that the DAGs run their commands with it as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import io
import logging
import multiprocessing
import multiprocessing.connection
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO

from components.contract.redacted_streams import LineRedactor

LOG = logging.getLogger(__name__)

TAIL_LINES = 200
"""Lines of a child's output kept for the text of a failure."""

LAST_LINES_S = 5.0
"""Seconds for the last lines of a child that has ended."""

GRACE_S = 60.0
"""Seconds between SIGTERM and SIGKILL: a training writes a checkpoint meanwhile."""

_PR_SET_PDEATHSIG = 1
"""``<sys/prctl.h>``."""

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ParentDeath(Enum):
    """Fate of a child when this process dies, even by SIGKILL.

    Attributes:
        OUTLIVE: Nothing; a later run finds the child, by a lock that it inherits.
        TERMINATE: The kernel sends the child SIGTERM (Linux). Start it from the main thread: the signal is
            sent when the thread that started it ends.
        CLOSE_INPUT: The child's standard input, a pipe, ends; the child calls :func:`end_with_parent`.
    """

    OUTLIVE = "outlive"
    TERMINATE = "terminate"
    CLOSE_INPUT = "close input"


@dataclass(eq=False)
class ChildProcess:
    """One command as the leader of a session, and so of a process group, of its own.

    Signals to this process's group (Ctrl-C) do not reach it; signals sent with the methods below reach the
    child and everything it started. As a context manager it is started on entry and stopped on exit.

    Attributes:
        command: Program and arguments.
        environment: The whole environment of the child.
        directory: Its working directory.
        output: Where standard output and error go; None inherits both, ``subprocess.PIPE`` is for
            :meth:`run` and :meth:`reading`.
        parent_death: What happens when this process dies.
        inherited: File descriptors that stay open in the child.
        grace_s: Seconds between SIGTERM and SIGKILL in :meth:`stop`.
        tail: Last lines of a piped output, credentials taken out.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    output: int | IO[bytes] | None = None
    parent_death: ParentDeath = ParentDeath.OUTLIVE
    inherited: tuple[int, ...] = ()
    grace_s: float = GRACE_S
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _asked: bool = field(default=False, init=False)

    @property
    def pid(self) -> int:
        """Process id, which is the id of the session and of the process group, too."""
        return self._started().pid

    def start(self) -> None:
        """Start the command.

        Raises:
            OSError: If there is no such program or directory.
        """
        by_pipe = self.parent_death is ParentDeath.CLOSE_INPUT
        by_kernel = self.parent_death is ParentDeath.TERMINATE
        self._process = subprocess.Popen(  # noqa: S603 - the callers' own command lines
            self.command,
            cwd=self.directory,
            env=dict(self.environment),
            stdin=subprocess.PIPE if by_pipe else subprocess.DEVNULL,
            stdout=self.output,
            stderr=None if self.output is None else subprocess.STDOUT,
            start_new_session=True,
            pass_fds=self.inherited,
            preexec_fn=_terminate_with_parent if by_kernel else None,  # noqa: PLW1509 - see TERMINATE
        )

    def run(self, on_line: Callable[[str], None]) -> int:
        """Start the command, pass each line of its output on while it runs, and wait for its end.

        Args:
            on_line: Called with each line, credentials taken out.

        Returns:
            Exit code, as :meth:`wait`.
        """
        self.output = subprocess.PIPE
        with self:
            self.read(on_line)
            code = self.wait()
        assert code is not None
        return code

    def read(self, on_line: Callable[[str], object]) -> None:
        """Pass each line of the piped output on, credentials taken out, until nothing writes there any more.

        Args:
            on_line: Called with each line.
        """
        stdout = self._started().stdout
        assert stdout is not None
        redacted = LineRedactor({**os.environ, **self.environment})
        # A name of its own: a wrapper that is collected closes the pipe of a child that still writes.
        lines = io.TextIOWrapper(stdout, errors="replace")
        for line in lines:
            self.tail.append(redacted(line.rstrip("\n")))
            on_line(self.tail[-1])

    @contextlib.contextmanager
    def reading(self, on_line: Callable[[str], object]) -> Iterator[None]:
        """Do what :meth:`read` does in a thread, while the caller waits in another way.

        Leave the block after the child has ended. What a process that it left behind still writes is read
        for ``LAST_LINES_S`` seconds.
        """
        reader = threading.Thread(target=self.read, args=(on_line,), daemon=True)
        reader.start()
        try:
            yield
        finally:
            reader.join(LAST_LINES_S)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the command's end.

        Returns:
            Exit code; 128 plus the signal's number if a signal ended it; None when the timeout passed.
        """
        try:
            code = self._started().wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None
        return code if code >= 0 else 128 - code

    def terminate(self) -> None:
        """Send SIGTERM once; repeated calls, and calls before the start or after the end, do nothing.

        Safe in a signal handler and in any thread.
        """
        if self._running and not self._asked:
            self._asked = True
            signal_group(self.pid, signal.SIGTERM)

    def stop(self) -> None:
        """Send SIGTERM, wait ``grace_s``, and send SIGKILL to a command that still runs."""
        self.terminate()
        if self._running and self.wait(self.grace_s) is None:
            self.kill_group()
            self.wait()

    def kill_group(self) -> None:
        """Send SIGKILL to whatever is left of the child and of everything it started."""
        signal_group(self.pid, signal.SIGKILL)

    def __enter__(self) -> ChildProcess:
        """Start the command."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the command: no process stays behind, whatever ended the block."""
        self.stop()
        process = self._started()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    @property
    def _running(self) -> bool:
        # Not poll(): it takes a lock that an interrupted wait() may hold.
        return self._process is not None and self._process.returncode is None

    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the command was not started"
        return self._process


class StopRequest:
    """Notes SIGTERM and SIGINT while entered; repeated ones change nothing.

    Attributes:
        received: True from the first signal on.
    """

    def __init__(self) -> None:
        self.received = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[StopRequest]:
        """Handle the signals; outside of the main thread Python cannot, and nothing is noted."""
        try:
            previous = {number: signal.signal(number, self._note) for number in _STOP_SIGNALS}
        except ValueError:
            previous = {}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if not self.received:
            LOG.warning("%s: stopping", signal.Signals(number).name)
        self.received = True


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the process group that ``pid`` leads; a group that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def end_with_parent() -> None:
    """Kill this process's session as soon as standard input ends; called once by a ``CLOSE_INPUT`` child."""
    threading.Thread(target=_kill_at_end_of_input, daemon=True).start()


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[int]:
    """Hold an exclusive lock on a file; it goes with the last process that holds the descriptor.

    Yields:
        The descriptor, for a child that is to inherit the lock.

    Raises:
        BlockingIOError: If another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield handle.fileno()


def exit_with_parent() -> None:
    """Let this process, which multiprocessing started, end at once when the one that started it is gone.

    A pool's process holds both ends of the queue that it reads: without this it would wait forever, with all
    its memory, for a parent that was killed.

    Raises:
        RuntimeError: If multiprocessing did not start this process.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("this process was not started by multiprocessing")

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


def _terminate_with_parent() -> None:
    """Ask the kernel, in the child before its program starts, for SIGTERM when the parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill_at_end_of_input() -> None:
    while os.read(0, 1):  # not through sys.stdin: its lock may be held when the interpreter ends
        pass
    if os.getsid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
