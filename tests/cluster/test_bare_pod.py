from __future__ import annotations

from tests.cluster.airflow_server import Airflow


def test_a_pod_runs_as_airflow_and_the_restricted_account_want_it(airflow: Airflow, bare_pod: str) -> None:
    assert "hello from a pod" in airflow.client.log("trial_bare_pod", bare_pod, "bare")


def test_every_dag_file_is_imported(airflow: Airflow) -> None:
    airflow.wait_dags("acquisitions", "retrain", "housekeeping", "trial_bare_pod")
    assert airflow.client.import_errors() == {}
