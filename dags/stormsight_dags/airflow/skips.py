"""Skipped tasks: nothing was to be done, or the result of a command is that nothing follows.

A refusal of the gate is an ordinary result. Its task is skipped, so that no event of a new model follows and
the run does not look broken; a notice tells the reasons. A set that is barred is told by a notice, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowSkipException

from stormsight_dags.airflow.notices import notify_skip
from stormsight_dags.kubernetes.classify import CommandReport


def skip(
    context: Mapping[str, Any], stage: str, report: CommandReport, *, refused: bool
) -> AirflowSkipException:
    """Return the exception that skips the task, after a notice where people are to know.

    Args:
        context: Airflow's context of the task.
        stage: Stage or command.
        report: Report of the command.
        refused: Whether the command refused a model.
    """
    if refused or report.notice:
        notify_skip(context, stage, report, refused=refused)
    words = report.message or "nothing to do"
    return AirflowSkipException(f"{stage} refused: {words}" if refused else f"{stage}: {words}")
