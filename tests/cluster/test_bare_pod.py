from __future__ import annotations

from tests.cluster.airflow_server import Airflow


def test_a_pod_runs_as_airflow_and_the_restricted_account_want_it(
    airflow: Airflow, bare_pod_s: float
) -> None:
    assert bare_pod_s > 0
    (run,) = airflow.client.runs("trial_bare_pod")
    assert "hello from a pod" in airflow.client.log("trial_bare_pod", run["dag_run_id"], "bare")


def test_every_dag_file_is_imported(airflow: Airflow) -> None:
    airflow.wait_dags("acquisitions", "retrain", "redrive", "map", "housekeeping", "trial_bare_pod")
    assert airflow.client.import_errors() == {}
