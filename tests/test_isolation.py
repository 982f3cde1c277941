from __future__ import annotations

import os

import pytest

from tests.isolation import isolate


def test_the_users_settings_do_not_reach_the_tests() -> None:
    environment = {
        "PATH": "/bin",
        "STORMSIGHT_PROFILE": "spacenet6",
        "STORMSIGHT_LAB_KEEP": "1",
        "AWS_PROFILE": "work",
        "MLFLOW_TRACKING_URI": "http://mlflow",
        "AIRFLOW__CORE__EXECUTOR": "Odd",
        "GIT_DIR": "/elsewhere",
        "https_proxy": "http://proxy",
        "OMP_NUM_THREADS": "3",
    }
    isolate(environment)
    assert (environment["PATH"], environment["STORMSIGHT_LAB_KEEP"]) == ("/bin", "1")
    assert environment["OMP_NUM_THREADS"] == "3"
    gone = {"STORMSIGHT_PROFILE", "AWS_PROFILE", "MLFLOW_TRACKING_URI", "AIRFLOW__CORE__EXECUTOR"}
    assert not (gone | {"GIT_DIR", "https_proxy"}) & set(environment)


@pytest.mark.parametrize("name", ["STORMSIGHT_PROFILE", "STORMSIGHT_OBJECTS", "AWS_PROFILE", "MLFLOW_RUN_ID"])
def test_this_session_runs_without_them(name: str) -> None:
    assert name not in os.environ
