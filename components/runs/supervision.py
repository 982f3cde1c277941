"""Running a stage's worker, and being asked to stop meanwhile.

SIGTERM reaches the first process of a container only. It is passed on to the command that the stage runs, and
to nothing between: DVC and its shell must live to return. What has ended is not interrupted any more: its
results are pushed, and the command's own success stands.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]

from components.contract.failures import TERMINATED
from components.lib.cli import REPORT
from components.runs.environment import PACKAGE
from components.runs.worker import PHASE
from components.runs.workspace import STATE

LOG = logging.getLogger(__name__)

TICK_S = 0.2
SHELLS = frozenset({"sh", "dash", "bash"})
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """While entered, notes SIGTERM and SIGINT; repeated ones change nothing."""

    def __init__(self) -> None:
        self.received = False

    @contextlib.contextmanager
    def watching(self) -> Iterator[StopRequest]:
        """Handle the signals; outside of the main thread Python cannot, and nothing is noted."""
        try:
            previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
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


def supervise(
    workspace: Path,
    address: str,
    *,
    environment: Mapping[str, str],
    report: Path,
    stop: StopRequest,
    on_tick: Callable[[], None] = lambda: None,
) -> int:
    """Run the stage's worker to its end.

    Args:
        workspace: Made for this stage.
        address: The stage.
        environment: Of the worker and of all it starts.
        report: File for the worker's failure report.
        stop: Watched all the time.
        on_tick: Called several times a second.

    Returns:
        Exit code; 143 if it was stopped, 128 and the signal's number if one killed it.
    """
    command = [sys.executable, "-m", "components.runs.worker", str(workspace), address]
    # A session of its own: what is sent to this process' group must not reach the training a second time.
    # The pipe tells the worker when this process is gone.
    with subprocess.Popen(  # noqa: S603 - our own module
        command,
        cwd=PACKAGE,
        env={**environment, REPORT: str(report)},
        stdin=subprocess.PIPE,
        start_new_session=True,
    ) as worker:
        courier = _Courier(worker.pid, address, workspace / STATE / PHASE)
        try:
            while (code := _wait(worker)) is None:
                on_tick()
                if stop.received:
                    courier.pass_on()
        finally:
            _end_session(worker)
    return code if code >= 0 else 128 - code


def _wait(worker: subprocess.Popen[bytes]) -> int | None:
    try:
        return worker.wait(TICK_S)
    except subprocess.TimeoutExpired:
        return None


def _end_session(worker: subprocess.Popen[bytes]) -> None:
    """Whatever the worker left running ends now: nobody would wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)


class _Courier:
    """Brings SIGTERM to the right process, once.

    Args:
        worker: Process id of the worker.
        address: The stage.
        phase: File with the worker's phase.
    """

    def __init__(self, worker: int, address: str, phase: Path) -> None:
        self._worker = worker
        self._address = address
        self._phase = phase
        self._told: set[int] = set()

    def pass_on(self) -> None:
        """Send what is to be sent now; called again and again until the worker ends."""
        phase = self._phase.read_text() if self._phase.exists() else ""
        if phase == "push":
            return
        # Before the command there is nothing to keep; the worker itself leaves.
        targets = [self._worker] if phase != "run" else command_processes(self._worker, self._address)
        for target in targets:
            if target not in self._told:
                self._told.add(target)
                LOG.info("SIGTERM to process %d (phase %s)", target, phase or "start")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(target, signal.SIGTERM)


def command_processes(worker: int, address: str) -> list[int]:
    """Process ids of the stage's command: topmost below ``worker``, shells left out.

    DVC names the stage in ``DVC_STAGE`` of the command's environment, not in its own.
    """
    try:
        below = psutil.Process(worker).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    found: dict[int, psutil.Process] = {}
    for process in below:
        with contextlib.suppress(psutil.Error):
            if process.environ().get("DVC_STAGE") == address and process.name() not in SHELLS:
                found[process.pid] = process
    return [pid for pid, process in found.items() if not _below_any(process, found)]


def _below_any(process: psutil.Process, others: Mapping[int, psutil.Process]) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(parent.pid in others for parent in process.parents())
    return False


__all__ = ["TERMINATED", "StopRequest", "command_processes", "supervise"]
