"""Budgets across tries, on a real Airflow: what the policy counted is in the task state store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

RUN = """\
import json
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag
from airflow.models.task_state_store import TaskStateStoreModel
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

initdb()
run = DagBag(Path("{dags}")).dags["mixed"].test()
with create_session() as session:
    stored = {{s.task_id: json.loads(s.value) for s in session.scalars(select(TaskStateStoreModel))}}
print(json.dumps({{ti.task_id: [str(ti.state), ti.try_number, stored[ti.task_id]["kinds"]]
                  for ti in run.get_task_instances()}}))
"""


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """State, last try and entry of the task state store, by task."""
    home = tmp_path_factory.mktemp("airflow")
    dags = Path(__file__).parent / "retry_dags"
    environment = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'dags'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(dags=dags)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("task", "state", "kinds"),
    [
        ("recovers", "success", ["evicted", "source_unavailable", "evicted"]),
        ("exhausts", "failed", ["source_unavailable", "evicted", "source_unavailable"]),
        ("hopeless", "failed", ["bad_data"]),
        ("foreign", "failed", ["unknown"]),
    ],
)
def test_each_kind_has_its_own_budget(
    outcome: dict[str, Any], task: str, state: str, kinds: list[str]
) -> None:
    found, tries, remembered = outcome[task]
    assert found == state
    assert remembered == {str(number): kind for number, kind in enumerate(kinds, 1)}
    assert tries == len(kinds) + (state == "success")
