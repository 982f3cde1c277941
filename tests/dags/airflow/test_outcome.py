"""A run is red where its training did not come to its end, and only there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from stormsight_dags.airflow.outcome import RunOutcomeOperator


def look(**states: str) -> None:
    """Execute the operator in a run whose tasks have these states."""
    found = {"r1": {name.replace("__", "."): state for name, state in states.items()}}
    instance = SimpleNamespace(dag_id="retrain", run_id="r1", get_task_states=lambda **_: found)
    context: Any = {"ti": instance}
    RunOutcomeOperator(task_id="outcome", finish="finish", pipeline="pipeline").execute(context)


def test_all_stages_are_finished() -> None:
    look(plan="success", pipeline__get="success", finish="success", gate="skipped")


@pytest.mark.parametrize("left", ["failed", "skipped", "upstream_failed"])
def test_stages_are_left(left: str) -> None:
    with pytest.raises(AirflowFailException, match="the run ended before train"):
        look(plan="success", pipeline__get="success", pipeline__train=left, finish="success", gate="skipped")


def test_nothing_was_recorded() -> None:
    with pytest.raises(AirflowSkipException):
        look(plan="skipped", pipeline__get="skipped", finish="skipped", gate="skipped")
