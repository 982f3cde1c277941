"""Outcome of a training's run in Airflow: red where a planned training did not come to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException


class RunOutcomeOperator(BaseOperator):
    """Fail a run whose outcome was recorded although stages are left.

    When a person marks a run as failed, Airflow ends the running tasks, skips the others, and leaves
    teardowns alone. The teardown `finish` then ends the run's claim. All that follows is skipped, so that
    without this task, a teardown as well, the run would turn green.

    Args:
        finish: Id of the task that records the outcome.
        pipeline: Id of the group of the stages.
        **kwargs: Arguments of ``BaseOperator``.
    """

    def __init__(self, *, finish: str, pipeline: str, **kwargs: Any) -> None:  # noqa: ANN401 - Airflow's own
        super().__init__(**kwargs)
        self.finish = finish
        self.pipeline = pipeline

    def execute(self, context: Context) -> None:
        """Look at the states of the run's tasks.

        Raises:
            AirflowFailException: If stages are left.
            AirflowSkipException: If no outcome was recorded: nothing was to be done, or another run is at it.
        """
        instance: Any = context["ti"]
        found = instance.get_task_states(dag_id=instance.dag_id, run_ids=[instance.run_id])
        states: Mapping[str, Any] = found.get(instance.run_id, {})
        if states.get(self.finish) != "success":
            raise AirflowSkipException("no outcome was recorded")
        left = sorted(
            task.removeprefix(f"{self.pipeline}.")
            for task, state in states.items()
            if task.startswith(f"{self.pipeline}.") and state != "success"
        )
        if left:
            raise AirflowFailException(f"the run ended before {', '.join(left)}")
