"""Airflow operator for one command as a process of this machine, with the failures and budgets of a pod."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context

from components.contract.actor import current_actor
from components.contract.failures import NOTHING_TO_DO
from components.contract.processes import ChildProcess, ParentDeath
from components.contract.temporary import scratch_folder
from components.contract.variables import ACTOR
from components.contract.work import Work
from stormsight_dags.airflow.actor import actor_of
from stormsight_dags.airflow.notices import StallWarnings
from stormsight_dags.airflow.retry_policy import retry_arguments
from stormsight_dags.airflow.skips import skip
from stormsight_dags.budgets import load_budget
from stormsight_dags.failures import exception_for
from stormsight_dags.kubernetes.classify import classify_exit, is_skip, read_report
from stormsight_dags.settings.model import Settings


def stage_process(command: Sequence[str], environment: Mapping[str, str], directory: Path) -> ChildProcess:
    """Return the process of a command, not started yet; ``python`` is this interpreter.

    A killed task leaves no training behind: the kernel asks the process to end.
    """
    program = sys.executable if command[0] == "python" else command[0]
    return ChildProcess([program, *command[1:]], environment, directory, parent_death=ParentDeath.TERMINATE)


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

    Exit code 99 skips the task, as does a refusal (77) of a command that is no stage; another code raises the
    failure's class, and its budget decides on a retry. The result in the command's report becomes the XCom
    value, a hint and nothing more.

    Args:
        work: Command (templated) and retry class; a process takes what resources there are.
        settings: The installation's settings.
        command: Command in place of that of ``work``, for tasks that Airflow maps.
        **kwargs: Arguments of ``BaseOperator``.
    """

    template_fields: Sequence[str] = ("command",)
    ui_color = "#e8f0e4"

    def __init__(
        self,
        *,
        work: Work,
        settings: Settings,
        command: Sequence[str] | None = None,
        **kwargs: Any,  # noqa: ANN401 - Airflow's own
    ) -> None:
        budget = load_budget(settings.orchestration.model_dump(), work.requirements.retry)
        super().__init__(**{**retry_arguments(budget), **kwargs})
        self.command = list(work.command if command is None else command)
        self.stage = work.stage or self.task_id
        self._refusal_skips = work.stage is None
        self._settings = settings
        self._process: ChildProcess | None = None

    def execute(self, context: Context) -> Any:  # noqa: ANN401 - the command's result, any JSON
        """Run the command to its end.

        Raises:
            AirflowSkipException: If there was nothing to do.
            StageFailure: If it failed, as the subclass of its class.
        """
        with scratch_folder("task") as folder:
            report = folder / "report.json"
            actor = actor_of(context, current_actor())
            self._process = stage_process(
                self.command,
                {**process_environment(self._settings, os.environ, report), ACTOR: actor},
                self._settings.source,
            )
            warnings = StallWarnings(context["ti"])

            def show(line: str) -> None:
                self.log.info(line)
                warnings.look(line)

            code = self._process.run(show)
            text = report.read_text(encoding="utf-8", errors="replace") if report.is_file() else ""
        if code == 0:
            return read_report(text).result
        if is_skip(code, refusal_skips=self._refusal_skips):
            raise skip(context, self.stage, read_report(text), refused=code != NOTHING_TO_DO)
        raise exception_for(classify_exit(self.stage, code, text, "\n".join(self._process.tail)))

    def on_kill(self) -> None:
        """Ask the command to end after its checkpoint: the task was cleared, marked, or loses its worker."""
        if self._process is not None:
            self._process.terminate()
