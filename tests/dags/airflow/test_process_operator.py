"""Processes of local mode: their environment, interpreter and end with their task."""

from __future__ import annotations

import sys
from pathlib import Path

from components.contract.processes import ParentDeath
from stormsight_dags.airflow.process_operator import process_environment, stage_process
from stormsight_dags.settings.load import load_settings


def test_python_is_this_interpreter_and_a_killed_task_ends_its_command(tmp_path: Path) -> None:
    process = stage_process(["python", "-m", "components.runs"], {"A": "1"}, tmp_path)
    assert process.command == [sys.executable, "-m", "components.runs"]
    assert (process.environment, process.directory) == ({"A": "1"}, tmp_path)
    assert process.parent_death is ParentDeath.TERMINATE
    assert stage_process(["bash", "-c", "true"], {}, tmp_path).command == ["bash", "-c", "true"]


def test_commands_get_the_settings_and_none_of_airflows_secrets(tmp_path: Path) -> None:
    inherited = {
        "PATH": "/usr/bin",
        "AWS_SECRET_ACCESS_KEY": "given by the user",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://u:p@h/d",
        "_AIRFLOW_X": "1",
    }
    environment = process_environment(load_settings({}), inherited, tmp_path / "report.json")
    assert not [name for name in environment if "AIRFLOW" in name]
    assert environment["AWS_SECRET_ACCESS_KEY"] == "given by the user"
    assert environment["STORMSIGHT_REPORT"] == str(tmp_path / "report.json")
    assert environment["STORMSIGHT_OBJECTS"].endswith("var/objects")
    assert environment["PATH"].endswith(":/usr/bin")
