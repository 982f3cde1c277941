"""Local mode: a stage as a process of this machine, with the failures and budgets of a pod."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException

from components.contract.processes import ChildProcess, ParentDeath
from stormsight_dags.pods.budgets import BudgetedRetries, load_budget
from stormsight_dags.pods.classify import classify_exit, read_report
from stormsight_dags.pods.failures import NOTHING_TO_DO, raised
from stormsight_dags.settings import Settings


def stage_process(command: Sequence[str], environment: Mapping[str, str], directory: Path) -> ChildProcess:
    """Return the process of a command, not started yet; ``python`` is this interpreter.

    A killed task leaves no training behind: the kernel asks the process to end.
    """
    program = sys.executable if command[0] == "python" else command[0]
    return ChildProcess([program, *command[1:]], environment, directory, parent_death=ParentDeath.TERMINATE)


def process_environment(settings: Settings, inherited: Mapping[str, str], report: Path) -> dict[str, str]:
    """Return a command's environment: ours without Airflow's secrets, the settings, where to report."""
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
    """Runs a command as ``StagePodOperator`` does, but as a process.

    Exit code 99 skips the task; another one raises the failure's class, and its budget decides on a retry.
    What the command reports as its result becomes the XCom value, a hint and nothing more.

    Args:
        command: Program and arguments, templated.
        retry: Retry class, a key of ``orchestration.retries``.
        settings: Of the installation.
        stage: The stage's address; ``None`` for a command that is no stage.
        image: Of the pod in kubernetes mode, as are ``cpu`` (cores), ``memory`` and ``gpu``: a process takes
            what there is.
        **kwargs: Of the operator.
    """

    template_fields: Sequence[str] = ("command",)
    ui_color = "#e8f0e4"

    def __init__(
        self,
        *,
        command: list[str],
        retry: str | None,
        settings: Settings,
        stage: str | None = None,
        image: str = "data",
        cpu: float = 1.0,
        memory: str = "1Gi",
        gpu: int = 0,
        **kwargs: Any,  # noqa: ANN401 - Airflow's own
    ) -> None:
        budget = load_budget(settings.orchestration.model_dump(), retry)
        own: dict[str, Any] = {
            "retries": budget.total,
            "retry_delay": budget.delay_s,
            "retry_policy": BudgetedRetries(budget),
        }
        super().__init__(**{**own, **kwargs})
        self.command = command
        self.stage = stage
        self.image, self.cpu, self.memory, self.gpu, self.retry = image, cpu, memory, gpu, retry
        self._settings = settings
        self._process: ChildProcess | None = None

    def execute(self, context: Context) -> Any:  # noqa: ANN401 - the command's result, any JSON
        """Run the command to its end.

        Raises:
            AirflowSkipException: If there was nothing to do.
            StageFailure: If it failed, as the subclass of its class.
        """
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            self._process = stage_process(
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
        name = self.stage or self.task_id
        raise raised(classify_exit(name, code, text, "\n".join(self._process.tail)))

    def on_kill(self) -> None:
        """Ask the command to end after its checkpoint: the task was cleared, marked, or loses its worker."""
        if self._process is not None:
            self._process.terminate()
