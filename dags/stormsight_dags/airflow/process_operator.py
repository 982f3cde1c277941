"""Airflow operator for one command as a process of this machine, with the failures and budgets of a pod."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from components.contract.work import Work
from stormsight_dags.airflow.retry_policy import retry_arguments
from stormsight_dags.budgets import load_budget
from stormsight_dags.failures import NOTHING_TO_DO, exception_for
from stormsight_dags.kubernetes.classify import classify_exit, read_report
from stormsight_dags.settings.model import Settings

TAIL_LINES = 200
"""Lines of the log kept for the failure's text."""

GRACE_S = 60.0
"""What a process may take after SIGTERM once its task is given up: training writes a checkpoint."""

PR_SET_PDEATHSIG = 1
"""``<sys/prctl.h>``."""


@dataclass
class Process:
    """One command in a process group of its own, so that a signal reaches all it started, and only that.

    Attributes:
        command: Program and arguments; ``python`` is this interpreter.
        environment: All of its environment.
        directory: Its working directory.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    _process: subprocess.Popen[str] | None = None

    def run(self, say: Callable[[str], None]) -> int:
        """Start it, pass each line of its output to ``say``, and wait for its end.

        Returns:
            The exit code; negative for the signal that ended it.
        """
        program = sys.executable if self.command[0] == "python" else self.command[0]
        with (
            subprocess.Popen(  # noqa: S603 - the DAG's own command
                [program, *self.command[1:]],
                cwd=self.directory,
                env=dict(self.environment),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - a task starts it while it has one thread
            ) as process
        ):
            self._process = process
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    self.tail.append(line.rstrip("\n"))
                    say(self.tail[-1])
                return process.wait()
            finally:
                self._end()

    def terminate(self) -> None:
        """Ask it to end. Safe in a signal handler: :meth:`run` does the waiting."""
        self._signal(signal.SIGTERM)

    def _end(self) -> None:
        """No process stays behind, whatever broke the watch."""
        if self._process is None or self._process.poll() is not None:
            return
        self.terminate()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _die_with_parent() -> None:
    """Ask the kernel for SIGTERM when our parent dies: a killed worker shall leave no training behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def process_environment(settings: Settings, inherited: Mapping[str, str], report: Path) -> dict[str, str]:
    """Return a command's environment: ours without Airflow's secrets, the settings, the report's path."""
    kept = {k: v for k, v in inherited.items() if not k.lstrip("_").startswith("AIRFLOW")}
    tools = f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', os.defpath)}"
    return {
        **kept,
        **settings.command_environment(),
        "PATH": tools,
        "PYTHONUNBUFFERED": "1",
        "STORMSIGHT_REPORT": str(report),
    }


class StageProcessOperator(BaseOperator):
    """Run a command as ``StagePodOperator`` does, but as a process.

    Exit code 99 skips the task; another one raises the failure's class, and its budget decides on a retry.
    The result in the command's report becomes the XCom value, a hint and nothing more.

    Args:
        work: Command (templated) and retry class; a process takes what resources there are.
        settings: The installation's settings.
        **kwargs: Arguments of ``BaseOperator``.
    """

    template_fields: Sequence[str] = ("command",)
    ui_color = "#e8f0e4"

    def __init__(self, *, work: Work, settings: Settings, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        budget = load_budget(settings.orchestration.model_dump(), work.requirements.retry)
        super().__init__(**{**retry_arguments(budget), **kwargs})
        self.command = list(work.command)
        self.stage = work.stage or self.task_id
        self._settings = settings
        self._process: Process | None = None

    def execute(self, context: Context) -> Any:  # noqa: ANN401 - the command's result, any JSON
        """Run the command to its end.

        Raises:
            AirflowSkipException: If there was nothing to do.
            StageFailure: If it failed, as the subclass of its class.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            self._process = Process(
                self.command,
                process_environment(self._settings, os.environ, report),
                self._settings.source,
            )
            code = self._process.run(self.log.info)
            text = report.read_text(encoding="utf-8", errors="replace") if report.is_file() else ""
        if code == 0:
            return read_report(text).result
        if code == NOTHING_TO_DO:
            raise AirflowSkipException(read_report(text).message or "nothing to do")
        raise exception_for(classify_exit(self.stage, code, text, "\n".join(self._process.tail)))

    def on_kill(self) -> None:
        """End the command, after its checkpoint: the task was cleared or marked, or its worker ends."""
        if self._process is not None:
            self._process.terminate()
