"""An environment variable that cannot be meant is refused by its name, before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import ParameterError
from components.contract.variables import VARIABLES, check_variables


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("STORMSIGHT_LOG", "LOUD", "there is no such level"),
        ("STORMSIGHT_LOG", "DEBUGG", "the nearest valid one is 'DEBUG'"),
        ("STORMSIGHT_OBJECTS", "{file}", "it is a file, not a folder"),
        ("STORMSIGHT_OBJECTS", "{file}/below", "file is a file, not a folder"),
        ("STORMSIGHT_OBJECTS", "file://{file}", "it is a file, not a folder"),
        ("STORMSIGHT_OBJECTS", "file://relative", "no absolute path"),
        ("STORMSIGHT_OBJECTS", "ftp://host/x", "no kind of object store"),
        ("STORMSIGHT_REMOTE", "s3://", "names no bucket"),
        ("STORMSIGHT_REMOTE", "s3:///prefix", "names no bucket"),
        ("STORMSIGHT_LANDING", "x" * 5000, "File name too long"),
        ("STORMSIGHT_WORKSPACE", "{file}", "it is a file"),
        ("STORMSIGHT_ARTIFACTS", "{file}", "it is a file"),
        ("STORMSIGHT_SOURCE", "{folder}/absent", "there is no such folder"),
        ("STORMSIGHT_SOURCE", "x" * 5000, "File name too long"),
        ("MLFLOW_TRACKING_URI", "nonsense", "no address of a store"),
        ("MLFLOW_TRACKING_URI", "sqllite:///var/mlflow.db", "the nearest valid one is 'sqlite'"),
        ("MLFLOW_TRACKING_URI", "http://", "no http(s) address"),
        ("AWS_ENDPOINT_URL_S3", "nonsense", "no http(s) address"),
        ("AWS_ENDPOINT_URL_S3", "ftp://host", "no http(s) address"),
        ("AWS_ENDPOINT_URL_S3", "http://host:port", "Port could not be cast"),
        ("AWS_ENDPOINT_URL_S3", "http://[::1", "Invalid IPv6 URL"),
        ("AWS_ENDPOINT_URL", "http://host:99999", "Port out of range"),
        ("AWS_CA_BUNDLE", "{folder}/absent.pem", "there is no such file"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, value: str, words: str) -> None:
    (tmp_path / "file").write_text("")
    given = value.replace("{file}", str(tmp_path / "file")).replace("{folder}", str(tmp_path))
    with pytest.raises(ParameterError) as caught:
        check_variables({name: given})
    assert caught.value.message.startswith(f"{name}=")
    assert words in caught.value.message
    assert f"unset {name}, or set it to {VARIABLES[name][1]}" in caught.value.next_step
    assert len(caught.value.message) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORMSIGHT_LOG", "debug"),
        ("STORMSIGHT_OBJECTS", "var/objects"),
        ("STORMSIGHT_OBJECTS", "s3://bucket/prefix"),
        ("STORMSIGHT_OBJECTS", "file:///nowhere/yet"),
        ("STORMSIGHT_LANDING", ""),
        ("MLFLOW_TRACKING_URI", "none"),
        ("MLFLOW_TRACKING_URI", "sqlite:////srv/mlflow.db"),
        ("MLFLOW_TRACKING_URI", "postgresql+psycopg2://user:word@host/db"),
        ("MLFLOW_TRACKING_URI", "/srv/mlruns"),
        ("MLFLOW_TRACKING_URI", "https://mlflow.example/"),
        ("AWS_ENDPOINT_URL_S3", "http://user:word@127.0.0.1:9000"),
        ("AWS_ENDPOINT_URL_S3", "https://[::1]:9000/"),
    ],
)
def test_what_can_be_meant_passes(name: str, value: str) -> None:
    check_variables({name: value})


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(ParameterError) as caught:
        check_variables({"AWS_ENDPOINT_URL_S3": "ftp://user:hush-hush@host"})
    assert "hush-hush" not in str(caught.value)
