from __future__ import annotations

from tests.cluster.airflow_server import Airflow


def test_a_pod_runs(airflow: Airflow) -> None:
    airflow.wait_dags("trial_bare_pod")
    airflow.client.pause("trial_bare_pod", False)
    run = airflow.client.trigger("trial_bare_pod")
    assert airflow.client.wait_run("trial_bare_pod", run) == "success"
    assert "hello from a pod" in airflow.client.log("trial_bare_pod", run, "bare")
