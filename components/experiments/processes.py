"""Stages as child processes of a grid run: started, stopped together, or found again by the next run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from components.contract.errors import ResourceError, StormsightError
from components.contract.identity import ROOT
from components.contract.processes import ChildProcess, file_lock, signal_group

GRACE_S = 120.0
"""Seconds a stage may take to finish its step and write a checkpoint when asked to stop."""


class StageFailedError(StormsightError):
    """A trial's or a world's stage ended with an error; its log says which."""


class StageProcesses:
    """Runs the commands of stages; all that run can be stopped from any thread.

    A stage outlives a grid run that is killed. It holds a lock on its folder, by which the next run finds it
    and stops it: it leaves a checkpoint, from which the training goes on. The number of its threads is no
    matter of this module: a training takes it from its parameters.
    """

    def __init__(self) -> None:
        self._running: set[ChildProcess] = set()
        self._guard = threading.Lock()
        self._stopping = False
        self.environment = _environment()

    def run(self, command: Sequence[str], folder: Path, log: Path, *, label: str) -> float:
        """Run ``command`` in ``folder``, its output appended to ``log``.

        Args:
            command: Program and arguments.
            folder: Working directory; a process left behind there is stopped first.
            log: File for the output.
            label: Name of the trial or world in error messages.

        Returns:
            Wall-clock seconds.

        Raises:
            StageFailedError: If it ends with an error; carries the last line of its log.
            ResourceError: If the process left behind does not stop.
        """
        folder.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with _folder_lock(folder) as lock, log.open("ab") as output:
            child = ChildProcess(
                command, self.environment, folder, output=output, inherited=(lock,), grace_s=GRACE_S
            )
            with self._guard:
                if self._stopping:
                    raise StageFailedError(f"{label}: stopped", next_step="run the command again")
                child.start()
                self._running.add(child)
            try:
                (folder / "child.pid").write_text(str(child.pid))
                code = child.wait()
            finally:
                with self._guard:
                    self._running.discard(child)
        if code:
            raise StageFailedError(
                f"{label}: `{' '.join(command[1:])}` left with {code}: {_last_line(log)}",
                next_step=f"read {log}, mend it and run the command again: what is finished is kept",
            )
        return time.monotonic() - begun

    def stop(self) -> None:
        """Ask every process to stop, wait ``GRACE_S`` for all of them, and kill those that still run."""
        with self._guard:
            self._stopping = True
            running = list(self._running)
        for child in running:
            child.terminate()
        limit = time.monotonic() + GRACE_S
        for child in running:
            if child.wait(max(0.1, limit - time.monotonic())) is None:
                child.kill_group()


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Refuse a second grid run on the same folder.

    Raises:
        ResourceError: If one is at work.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_lock(folder / "run.lock"))
        except BlockingIOError:
            raise ResourceError(
                f"another evidence run is at work in {folder}", next_step="wait for it, or stop it"
            ) from None
        yield


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[int]:
    """Lock a working directory, its last process stopped; yields the descriptor for the next to inherit."""
    limit = time.monotonic() + GRACE_S
    asked = False
    with contextlib.ExitStack() as stack:
        while True:
            try:
                descriptor = stack.enter_context(file_lock(folder / "child.lock"))
                break
            except BlockingIOError:
                if not asked:
                    _terminate_left_behind(folder)
                    asked = True
                if time.monotonic() > limit:
                    raise ResourceError(
                        f"a process left behind works in {folder} and does not stop",
                        next_step=f"end it (its id is in {folder / 'child.pid'}) and run the command again",
                    ) from None
                time.sleep(0.2)
        yield descriptor


def _terminate_left_behind(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        signal_group(int((folder / "child.pid").read_text()), signal.SIGTERM)


def _environment() -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = os.pathsep.join(part for part in (str(ROOT), kept.get("PYTHONPATH", "")) if part)
    return {**kept, "PYTHONPATH": path}


def _last_line(log: Path) -> str:
    """Return the last error of a log, or else its last line: our own errors print the next step after it."""
    lines = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines[-20:] if line.startswith("error: ")]
    return (errors or lines or ["it wrote nothing"])[-1]
