"""Stages as child processes that end with their parent, or are found and ended by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from components.contract.errors import ResourceError, StormsightError
from components.experiments.stages import ROOT

GRACE_S = 120.0
"""How long a child may take to finish its step and write a checkpoint when asked to stop."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class ChildFailedError(StormsightError):
    """A stage of a cell left with an error; its log says which."""


class Children:
    """Starts child processes and can stop all of them, from any thread.

    Args:
        threads: Threads of each child.
    """

    def __init__(self, threads: int = 1) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopping = False
        self.environment = _environment(threads)

    def run(self, command: Sequence[str], folder: Path, log: Path, *, what: str) -> float:
        """Run ``command`` in ``folder``, its output appended to ``log``.

        A child that an earlier, killed run left behind in ``folder`` is stopped first: it leaves a
        checkpoint.

        Returns:
            Wall-clock seconds.

        Raises:
            ChildFailedError: If it leaves with an error, with the last line it wrote and the log.
            ResourceError: If the child left behind does not stop.
        """
        folder.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        begun = time.monotonic()
        with _folder_lock(folder) as lock, log.open("ab") as output:
            with self._guard:
                if self._stopping:
                    raise ChildFailedError(f"{what}: stopped", next_step="run the command again")
                child = subprocess.Popen(  # noqa: S603 - the stages' own command lines
                    command,
                    cwd=folder,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Its own group: Ctrl-C reaches us alone, and we pass it on once.
                    start_new_session=True,
                    # The child holds the lock too: as long as it lives, nobody else works in its folder.
                    pass_fds=(lock,),
                )
                self._running.add(child)
            try:
                (folder / "child.pid").write_text(str(child.pid))
                code = child.wait()
            finally:
                self._running.discard(child)
        if code:
            raise ChildFailedError(
                f"{what}: `{' '.join(command[1:])}` left with {code}: {_last_line(log)}",
                next_step=f"read {log}, mend it and run the command again: what is finished is kept",
            )
        return time.monotonic() - begun

    def stop(self) -> None:
        """Ask every child to stop, wait, and end those that do not."""
        with self._guard:
            self._stopping = True
            running = list(self._running)
        for child in running:
            _signal(child.pid, signal.SIGTERM)
        limit = time.monotonic() + GRACE_S
        for child in running:
            try:
                child.wait(max(0.1, limit - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(child.pid, signal.SIGKILL)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Refuse a second run on the same folder.

    Raises:
        ResourceError: If one is at work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.lock").open("a+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ResourceError(
                f"another evidence run is at work in {folder}", next_step="wait for it, or stop it"
            ) from None
        yield


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[int]:
    """The folder's lock, its last holder stopped; yields the descriptor that the child is to inherit."""
    with (folder / "child.lock").open("a+b") as handle:
        limit = time.monotonic() + GRACE_S
        asked = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not asked:
                    _signal(_pid_in(folder), signal.SIGTERM)
                    asked = True
                if time.monotonic() > limit:
                    raise ResourceError(
                        f"a process left behind works in {folder} and does not stop",
                        next_step=f"end it (its id is in {folder / 'child.pid'}) and run the command again",
                    ) from None
                time.sleep(0.2)
        yield handle.fileno()


def _pid_in(folder: Path) -> int | None:
    try:
        return int((folder / "child.pid").read_text())
    except (OSError, ValueError):
        return None


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)


def _environment(threads: int) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    path = os.pathsep.join(part for part in (str(ROOT), kept.get("PYTHONPATH", "")) if part)
    return {**kept, "PYTHONPATH": path, **dict.fromkeys(THREADS, str(threads))}


def _last_line(log: Path) -> str:
    """The last line that says something; our own errors say the next step after it."""
    lines = [line for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines[-20:] if line.startswith("error: ")]
    return (errors or lines or ["it wrote nothing"])[-1]
