"""Actor of a task's command, as ledger entries name it: shared by the operators of both modes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.contract.actor import actor_of_run


def actor_of(context: Mapping[str, Any], account: str) -> str:
    """Return the actor of a task's command: DAG, run, the person who started it by hand, and the account.

    Args:
        context: Airflow's context of the task.
        account: Service account of the command's pod, or user of its process.
    """
    person = getattr(context.get("dag_run"), "triggering_user_name", None)
    return actor_of_run(str(context["ti"].dag_id), str(context["ti"].run_id), account, person)
