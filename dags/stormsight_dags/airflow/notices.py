"""Notices of the orchestrator: failures, refusals, missed deadlines, promotions.

Each has a severity: ``critical`` for whoever is on duty, ``warning``, and ``info`` for ordinary results.

The webhook's URL comes from the environment of Airflow (``STORMSIGHT_NOTICE_URL``, on a cluster from a
Secret). Such URLs often carry a token, so it is never written anywhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from components.contract.failures import FAILURE_CLASSES, STALL_WARNING, FailureKind, Severity
from components.contract.notices import BARRED, Notice, champion_notice, send
from components.contract.redaction import redact
from stormsight_dags.failures import StageFailure
from stormsight_dags.kubernetes.classify import CommandReport

log = logging.getLogger(__name__)

RESULT = "result"
"""XCom key of a pod's result. A hint: nothing may depend on it."""

RESULT_KEYS = ("return_value", RESULT)
"""XCom keys of a command's result: of a process, and of a pod."""

TOLD_BEFORE_RETRY = frozenset({FailureKind.STALLED, FailureKind.CRASHED, FailureKind.DEADLINE})
"""Failures that are told even when a retry follows."""


def failure_notice(context: Mapping[str, Any]) -> Notice:
    """Return the notice about a failed task: stage, class, message, next step."""
    instance, exception = context["ti"], context.get("exception")
    task_id = str(instance.task_id)
    if isinstance(exception, StageFailure):
        failure = exception.failure
        kind, stage = exception.kind, failure.stage
        message = failure.message or failure.reason
        next_step = failure.next_step or FAILURE_CLASSES[kind].next_step
    else:
        kind, stage = FailureKind.UNKNOWN, task_id
        message = f"{type(exception).__name__}: {exception}" if exception else "the task left no message"
        next_step = FAILURE_CLASSES[kind].next_step
    severity = FAILURE_CLASSES[kind].severity
    said = {"stage": stage, "class": str(kind), "message": message, "next_step": next_step}
    return _about(instance, "failed", severity, said)


def notify_failure(context: Mapping[str, Any]) -> None:
    """Send the notice about a failed task; Airflow's ``on_failure_callback``, called after the last try."""
    send(failure_notice(context))


def notify_retry(context: Mapping[str, Any]) -> None:
    """Send a notice before a retry where the failure tells of a fault; Airflow's ``on_retry_callback``.

    A stage that hung is killed and tried again, and nobody would hear of it otherwise.
    """
    exception = context.get("exception")
    if isinstance(exception, StageFailure) and exception.kind in TOLD_BEFORE_RETRY:
        send({**failure_notice(context), "event": "retried", "severity": Severity.WARNING.value})


def notify_skip(context: Mapping[str, Any], stage: str, report: CommandReport, *, refused: bool) -> None:
    """Send a notice about a task that is skipped, but no silence: a model was refused, or something waits.

    Args:
        context: Airflow's context of the task.
        stage: Stage or command.
        report: Report of the command.
        refused: True for a refusal, an ordinary result; False for the event that the report names.
    """
    event = "refused" if refused else report.notice
    severity = Severity.WARNING if event == BARRED else Severity.INFO
    kind = FailureKind.GATE_REFUSED if refused else FailureKind.NOTHING_TO_DO
    said = {"stage": stage, "class": str(kind), "message": report.message, "next_step": report.next_step}
    send(_about(context["ti"], event, severity, said))


class StallWarnings:
    """Watch over the log of a stage: the warning that nothing moves in it becomes a notice, once.

    Args:
        instance: Airflow's task instance; None where there is none.
    """

    def __init__(self, instance: Any) -> None:  # noqa: ANN401 - one of several classes of Airflow's
        self._instance = instance
        self._told: set[str] = set()

    def look(self, line: str) -> None:
        """Look at a line of the log; one that is seen twice is told once. Blocks while a notice is posted."""
        if STALL_WARNING not in line or line in self._told:
            return
        self._told.add(line)
        row = FAILURE_CLASSES[FailureKind.STALLED]
        stage = str(getattr(self._instance, "task_id", ""))
        words = line[line.index(STALL_WARNING) :]
        said = {
            "stage": stage,
            "class": str(FailureKind.STALLED),
            "message": words,
            "next_step": row.next_step,
        }
        send(_about(self._instance, "stalling", row.severity, said))


def _about(
    instance: Any,  # noqa: ANN401 - Airflow's task instance
    event: str,
    severity: Severity,
    said: Mapping[str, str],
) -> Notice:
    """Return a notice about a task instance, its words redacted."""
    return {
        "event": event,
        "severity": severity.value,
        "dag": str(getattr(instance, "dag_id", "")),
        "run": str(getattr(instance, "run_id", "")),
        "task": _name_of(instance),
        "try": str(getattr(instance, "try_number", "")),
        **{name: redact(words) for name, words in said.items()},
        "log": str(getattr(instance, "log_url", "") or ""),
    }


def _name_of(instance: Any) -> str:  # noqa: ANN401 - Airflow's task instance
    """Return a task's id, with the map index of a task that Airflow mapped."""
    index = getattr(instance, "map_index", None)
    name = str(getattr(instance, "task_id", ""))
    return f"{name}[{index}]" if isinstance(index, int) and index >= 0 else name


def promotion_notice(context: Mapping[str, Any]) -> Notice:
    """Return the notice about a run whose gate passed: models that were promoted, and refused beside them."""
    instance = context["ti"]
    run = str(instance.run_id)
    outcomes = _outcomes(instance)
    named = ", ".join(f"{model} {outcome}" for model, outcome in sorted(outcomes.items()))
    notice = champion_notice(
        "promoted",
        f"run {run} made a new champion{f': {named}' if named else ''}",
        actor=f"{instance.dag_id} {run}",
        next_step="`python -m components.promote history` shows it; `rollback` there goes back",
    )
    return {
        **notice,
        "dag": str(instance.dag_id),
        "run": run,
        "log": str(getattr(instance, "log_url", "") or ""),
    }


def _outcomes(instance: Any) -> dict[str, str]:  # noqa: ANN401 - Airflow's task instance
    """Return the outcome of each model by the gate's result; empty where it cannot be read."""
    for key in RESULT_KEYS:
        try:
            result = instance.xcom_pull(task_ids=instance.task_id, key=key)
        except Exception as error:  # the notice goes out without it
            log.warning("The result of %s cannot be read: %s", instance.task_id, type(error).__name__)
            continue
        models = result.get("models") if isinstance(result, Mapping) else None
        if isinstance(models, Mapping):
            return {str(model): str(outcome) for model, outcome in models.items()}
    return {}


def notify_promotion(context: Mapping[str, Any]) -> None:
    """Send the notice about a promotion; Airflow's ``on_success_callback`` of the gate."""
    send(promotion_notice(context))


def deadline_notice(context: Mapping[str, Any], hours: float) -> Notice:
    """Return the notice about a run that takes ``hours`` more than is usual."""
    run = context.get("dag_run") or {}
    return {
        "event": "deadline missed",
        "severity": Severity.WARNING.value,
        "dag": str(run.get("dag_id", "")),
        "run": str(run.get("dag_run_id") or run.get("run_id") or ""),
        "class": str(FailureKind.DEADLINE),
        "message": f"the run takes {hours:g} hours more than recent runs took on average; it goes on",
        "next_step": "look at the run's running task, and at what it waits for",
    }


async def notify_deadline(hours: float, context: Mapping[str, Any] | None = None) -> None:
    """Send the notice about a missed deadline; callback of the deadline alert, run in the triggerer."""
    await asyncio.to_thread(send, deadline_notice(context or {}, hours))
