"""Server processes of the lab: started with a log of their own, waited for, and always ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE = float(os.environ.get("STORMSIGHT_LAB_PATIENCE", "1"))
"""Factor of all time-outs, for machines that are busy with other things."""


class LabError(RuntimeError):
    """A part of the lab did not start; the text names the log."""


def free_port() -> int:
    """A TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])


def wait_for(
    what: str,
    found: Callable[[], T],
    *,
    timeout_s: float,
    poll_s: float = 0.2,
    note: str = "",
    hopeless: Callable[[], str | None] = lambda: None,
) -> T:
    """Poll ``found`` until it returns something true, and return that.

    Args:
        what: Name of what is waited for.
        found: Look at it.
        timeout_s: Seconds until the wait is given up, times ``PATIENCE``; ample, as it only ends a hang.
        poll_s: Seconds between two looks.
        note: Text for the end of the error's.
        hopeless: Reason why it can no longer come; None as long as it can.

    Raises:
        LabError: When the time is over, or when there is no hope.
    """
    end = time.monotonic() + timeout_s * PATIENCE
    while not (result := found()):
        if (reason := hopeless()) is not None:
            raise LabError(f"{what}: {reason}. {note}".rstrip())
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout_s * PATIENCE:g} s. {note}".rstrip())
        time.sleep(poll_s)
    return result


@dataclass
class Server:
    """One background process (and its children: it leads a process group).

    Attributes:
        name: What it is called in messages.
        command: Its command line.
        environment: Its whole environment.
        log: File that takes its output, appended to at a restart.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the process; it does not wait for it to be ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                # Should the tests be killed, nothing of the lab outlives them.
                ["setpriv", "--pdeathsig", "TERM", "--", *self.command],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.log.parent,
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def wait_ready(self, ready: Callable[[], bool], timeout_s: float = 120) -> None:
        """Wait until ``ready``; a process that ended instead fails at once, with the end of its log."""

        def check() -> bool:
            if not self.alive:
                raise LabError(f"{self.name} ended while starting:\n{self.tail()}")
            return ready()

        wait_for(f"{self.name} to answer", check, timeout_s=timeout_s, note=f"log: {self.log}")

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) + f"\nlog: {self.log}"

    def kill(self) -> None:
        """End the whole group at once, as a lost machine would."""
        self._signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()

    def stop(self, patience_s: float = 10) -> None:
        """Send the group SIGTERM, and SIGKILL if it does not end."""
        if self.process is None:
            return
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_s)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)  # the group may outlive its leader


def listening(host: str, port: int) -> bool:
    """Return ``True`` if something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
