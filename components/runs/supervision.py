"""Runs a stage's worker to its end and passes a request to stop on to the stage's command.

SIGTERM reaches the first process of a container only. It is passed on to the command that the stage runs, and
to nothing between: DVC and its shell must live to return. A stage whose command has ended is not interrupted
any more: its results are pushed, and the command's own success stands.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from components.contract.failures import TERMINATED, FailureKind, exit_code_of
from components.contract.processes import ChildProcess, ParentDeath, StopRequest, signal_group
from components.lib.cli import REPORT
from components.runs.environment import PACKAGE
from components.runs.progress import ProgressWatch
from components.runs.worker import PHASE
from components.runs.workspace import STATE

LOG = logging.getLogger(__name__)

TICK_S = 0.2
LEAVE_S = 10.0
"""Seconds for a worker that is asked to stop while it pulls: DVC's threads may wait on a silent endpoint."""

LAST_S = 300.0
"""Seconds for a command that is asked to stop at its deadline: it writes its last checkpoint."""

SHELLS = frozenset({"sh", "dash", "bash"})


def supervise(
    workspace: Path,
    address: str,
    *,
    environment: Mapping[str, str],
    report: Path,
    stop: StopRequest,
    stall_min: float | None = None,
    deadline: float = math.inf,
    on_tick: Callable[[], None] = lambda: None,
) -> int:
    """Run the stage's worker to its end.

    Args:
        workspace: Folder made for this stage.
        address: Address of the stage in dvc.yaml.
        environment: Environment of the worker and of all it starts.
        report: File for the worker's failure report.
        stop: Request to stop, looked at every ``TICK_S`` seconds.
        stall_min: Minutes without a sign of progress after which the stage is killed; None for never.
        deadline: Reading of ``time.monotonic`` at which the stage is asked to stop; if it is still there
            ``LAST_S`` seconds later, it is killed.
        on_tick: Called every ``TICK_S`` seconds; what it raises ends the stage at once, by SIGKILL.

    Returns:
        Exit code; 143 if the stage was stopped, 124 if it stalled, 81 if its deadline ended it, 128 and the
        signal's number if another signal ended it.
    """
    worker = ChildProcess(
        [sys.executable, "-m", "components.runs.worker", str(workspace), address],
        environment={**environment, REPORT: str(report)},
        directory=PACKAGE,
        # Read here, lest what DVC, native code or a crashing command writes pass the redaction.
        output=subprocess.PIPE,
        # The worker ends its whole session then: training and shells have no other parent to end them.
        parent_death=ParentDeath.CLOSE_INPUT,
    )
    with worker:
        forwarding = StopForwarding(worker.pid, address, workspace / STATE / PHASE)
        progress = None if stall_min is None else ProgressWatch(worker.pid, address, stall_min * 60)
        with worker.reading(lambda line: sys.stderr.write(f"{line}\n")):
            expired = False
            try:
                while (code := worker.wait(TICK_S)) is None:
                    on_tick()
                    late_s = time.monotonic() - deadline
                    expired = expired or (late_s >= 0 and not stop.received)
                    if expired and late_s >= LAST_S:
                        return exit_code_of(FailureKind.DEADLINE)
                    if stop.received or expired:
                        forwarding.send()
                    elif progress is not None and progress.stalled():
                        return exit_code_of(FailureKind.STALLED)
            finally:
                worker.kill_group()  # nobody would wait for what the worker left running
    if expired and (code != 0 or forwarding.killed):
        return exit_code_of(FailureKind.DEADLINE)
    return TERMINATED if forwarding.killed else code


class StopForwarding:
    """Sends SIGTERM to the stage's command, once to each of its processes.

    Before the command runs there is nothing to keep: the worker itself gets the signal, and SIGKILL with all
    it started if it is still there ``LEAVE_S`` seconds later.

    Args:
        worker: Process id of the worker.
        address: Address of the stage in dvc.yaml.
        phase: File with the worker's phase.

    Attributes:
        killed: Whether the worker was sent SIGKILL.
    """

    def __init__(self, worker: int, address: str, phase: Path) -> None:
        self._worker = worker
        self._address = address
        self._phase = phase
        self._signalled: set[int] = set()
        self._asked_to_leave: float | None = None
        self.killed = False

    def send(self) -> None:
        """Send what the present phase calls for; called repeatedly until the worker ends."""
        phase = self._phase.read_text() if self._phase.exists() else ""
        if phase == "push":
            return
        if phase != "run":
            self._leave(phase)
            return
        for target in command_processes(self._worker, self._address):
            if target not in self._signalled:
                self._signalled.add(target)
                LOG.info("SIGTERM to process %d (phase %s)", target, phase)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(target, signal.SIGTERM)

    def _leave(self, phase: str) -> None:
        """Ask the worker to leave, and kill it when it does not."""
        if self._asked_to_leave is None:
            self._asked_to_leave = time.monotonic()
            LOG.info("SIGTERM to the worker (phase %s)", phase or "start")
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker, signal.SIGTERM)
        elif not self.killed and time.monotonic() - self._asked_to_leave > LEAVE_S:
            LOG.warning("the worker did not leave within %g s: killed", LEAVE_S)
            self.killed = True
            signal_group(self._worker, signal.SIGKILL)


def command_processes(worker: int, address: str) -> list[int]:
    """Return the process ids of the stage's command: topmost below ``worker``, shells left out.

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
