"""Supervisor of programs that belong together: started in order, ended together, none left behind."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from components.contract.errors import SourceUnavailableError
from components.contract.processes import ChildProcess, ParentDeath, StopRequest, file_lock
from stormsight_dags.standalone.part import GRACE_S

POLL_S = 0.2
PATIENCE_S = 300.0
"""Seconds that the first part may take until it answers; a laptop's first start takes one minute."""

_TAIL = 15
"""Lines of a part's log that are shown when it fails."""


@dataclass(frozen=True, slots=True)
class Part:
    """One program.

    Attributes:
        name: Name in messages and of its log.
        command: Program and arguments.
    """

    name: str
    command: Sequence[str]


@dataclass(frozen=True)
class Supervisor:
    """Programs of one installation.

    Attributes:
        parts: Programs in the order of their start; the others wait until the first one answers.
        prepare: Programs that run to their end before, one after another.
        answers: Returns True once the first part answers.
        environment: Environment of all programs.
        directory: Their working directory.
        logs: Folder for their output, one file each, and for the lock.
        say: Prints a line for the user.
    """

    parts: Sequence[Part]
    prepare: Sequence[Part]
    answers: Callable[[], bool]
    environment: Mapping[str, str]
    directory: Path
    logs: Path
    say: Callable[[str], None]
    _running: dict[str, ChildProcess] = field(default_factory=dict, init=False)
    _logs: list[IO[bytes]] = field(default_factory=list, init=False)

    def run(self) -> None:
        """Run everything until SIGINT or SIGTERM, or until the process that started this one has died.

        Raises:
            SourceUnavailableError: If another supervisor holds the folder of logs, a part ends by itself, or
                the first one does not answer.
        """
        parent = os.getppid()
        with self._lock() as lock, StopRequest().watching() as request:

            def ending() -> bool:
                return request.received or os.getppid() != parent

            try:
                self._start_in_order(lock, ending)
                while not ending():
                    self._check()
                    time.sleep(POLL_S)
            finally:
                self._stop()

    def _start_in_order(self, lock: int, ending: Callable[[], bool]) -> None:
        for part in self.prepare:
            self._start(part, lock)
            while (code := self._running[part.name].wait(POLL_S)) is None and not ending():
                pass
            if ending():
                return
            if code:
                raise self._failure(part.name, code)
            del self._running[part.name]
        self._start(self.parts[0], lock)
        deadline = time.monotonic() + PATIENCE_S
        while not self.answers():
            if ending():
                return
            self._check()
            if time.monotonic() > deadline:
                raise SourceUnavailableError(
                    f"{self.parts[0].name} does not answer after {PATIENCE_S:.0f} s",
                    next_step=f"read {self._log(self.parts[0].name)}",
                )
            time.sleep(POLL_S)
        for part in self.parts[1:]:
            self._start(part, lock)
        self.say("ready")

    def _start(self, part: Part, lock: int) -> None:
        self.say(f"{part.name} starts")
        output = self._log(part.name).open("wb")
        self._logs.append(output)
        self._running[part.name] = ChildProcess(
            [sys.executable, "-m", "stormsight_dags.standalone.part", *part.command],
            self.environment,
            self.directory,
            output=output,
            parent_death=ParentDeath.CLOSE_INPUT,
            inherited=(lock,),
            grace_s=GRACE_S + 5,
        )
        self._running[part.name].start()

    def _check(self) -> None:
        for name, process in self._running.items():
            if (code := process.wait(0)) is not None:
                raise self._failure(name, code)

    def _stop(self) -> None:
        """End everything, side by side."""
        if self._running:
            self.say("ending")
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.stop()
        for output in self._logs:
            output.close()

    def _failure(self, name: str, code: int) -> SourceUnavailableError:
        with self._log(name).open(errors="replace") as log:
            tail = "".join(f"  {line}" for line in log.readlines()[-_TAIL:])
        return SourceUnavailableError(
            f"{name} ended by itself with exit code {code}\n{tail.rstrip()}",
            next_step=f"read {self._log(name)}, cure the cause, and start again",
        )

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @contextlib.contextmanager
    def _lock(self) -> Iterator[int]:
        """Hold the folder: parts inherit the lock, so that it is free when the last one has ended."""
        try:
            with file_lock(self.logs / "supervisor.lock") as lock:
                yield lock
        except BlockingIOError as error:
            raise SourceUnavailableError(
                f"Airflow is running already, or still ending, with its state in {self.logs.parent}",
                next_step="end the other one with Ctrl-C in its terminal, or wait some seconds",
            ) from error
