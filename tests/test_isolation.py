from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.isolation import isolate, problem_of_profile


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


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nprofile: rehearsal\n", None),
        ("profile: smoke\n", "params.yaml has 'profile: smoke', and the tests hold for 'profile: rehearsal'"),
        ("profiles: {}\n", "params.yaml has no profile, and"),
    ],
)
def test_another_profile_is_told_before_the_first_test(tmp_path: Path, text: str, told: str | None) -> None:
    (tmp_path / "params.yaml").write_text(text)
    found = problem_of_profile(tmp_path / "params.yaml")
    assert found == told if told is None else str(found).startswith(told)
