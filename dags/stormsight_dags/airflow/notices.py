"""Notices about failed tasks, missed deadlines and promotions: in the log, and to a webhook if one is named.

The webhook's URL comes from the environment of Airflow (``STORMSIGHT_NOTICE_URL``, on a cluster from a
Secret). Such URLs often carry a token, so it is never written anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from components.contract.failures import FAILURE_CLASSES, FailureKind
from components.contract.notices import Notice, champion_notice, send
from components.contract.redaction import redact
from stormsight_dags.failures import StageFailure


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
    return {
        "event": "failed",
        "dag": str(instance.dag_id),
        "run": str(instance.run_id),
        "task": task_id,
        "try": str(instance.try_number),
        "stage": stage,
        "class": str(kind),
        "message": redact(message),
        "next_step": redact(next_step),
        "log": str(getattr(instance, "log_url", "") or ""),
    }


def notify_failure(context: Mapping[str, Any]) -> None:
    """Send the notice about a failed task; Airflow's ``on_failure_callback``, called after the last try."""
    send(failure_notice(context))


def promotion_notice(context: Mapping[str, Any]) -> Notice:
    """Return the notice about a run whose gate passed: its model is champion."""
    instance = context["ti"]
    run = str(instance.run_id)
    notice = champion_notice(
        "promoted",
        f"run {run} made a new champion",
        actor=f"{instance.dag_id} {run}",
        next_step="`python -m components.promote history` shows it; `rollback` there goes back",
    )
    return {
        **notice,
        "dag": str(instance.dag_id),
        "run": run,
        "log": str(getattr(instance, "log_url", "") or ""),
    }


def notify_promotion(context: Mapping[str, Any]) -> None:
    """Send the notice about a promotion; Airflow's ``on_success_callback`` of the gate."""
    send(promotion_notice(context))


def deadline_notice(context: Mapping[str, Any], hours: float) -> Notice:
    """Return the notice about a run that takes ``hours`` more than is usual."""
    run = context.get("dag_run") or {}
    return {
        "event": "deadline missed",
        "dag": str(run.get("dag_id", "")),
        "run": str(run.get("dag_run_id") or run.get("run_id") or ""),
        "class": str(FailureKind.DEADLINE),
        "message": f"the run takes {hours:g} hours more than recent runs took on average; it goes on",
        "next_step": "look at the run's running task, and at what it waits for",
    }


async def notify_deadline(hours: float, context: Mapping[str, Any] | None = None) -> None:
    """Send the notice about a missed deadline; callback of the deadline alert, run in the triggerer."""
    await asyncio.to_thread(send, deadline_notice(context or {}, hours))
