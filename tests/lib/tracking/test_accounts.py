from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHENTICATED,
)

from components.contract.errors import SourceUnavailableError
from components.lib.tracking.accounts import PASSWORD, USERNAME, authorization, is_absent
from components.lib.tracking.connection import store_errors

URI = "http://mlflow:5000"
ACCOUNT = {USERNAME: "train", PASSWORD: "its password"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Home of a user who keeps no credentials there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("code", "variables", "told"),
    [
        (UNAUTHENTICATED, {}, f"refuses the credentials: {USERNAME} and {PASSWORD} not set"),
        (UNAUTHENTICATED, {USERNAME: "train"}, f"refuses the credentials: {PASSWORD} not set"),
        (UNAUTHENTICATED, ACCOUNT, "refuses the credentials: account 'train'"),
        (PERMISSION_DENIED, ACCOUNT, "does not let account 'train' do this"),
        (TEMPORARILY_UNAVAILABLE, ACCOUNT, "what the server said"),
    ],
)
def test_the_failure_says_what_was_wrong_with_the_account(
    monkeypatch: pytest.MonkeyPatch, code: int, variables: dict[str, str], told: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(SourceUnavailableError, match=f"MLflow at {URI}:? {told}") as failure,
        store_errors(URI),
    ):
        raise MlflowException("what the server said", error_code=code)
    assert ACCOUNT[PASSWORD] not in str(failure.value)


def test_what_is_forbidden_to_see_is_not_there() -> None:
    for code in (PERMISSION_DENIED, RESOURCE_DOES_NOT_EXIST):
        assert is_absent(MlflowException("no", error_code=code))
    for code in (UNAUTHENTICATED, TEMPORARILY_UNAVAILABLE):
        assert not is_absent(MlflowException("no", error_code=code))


def test_a_request_of_our_own_names_the_same_account(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert authorization() == {}
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    header = authorization() or {}
    assert b64decode(header["Authorization"].removeprefix("Basic ")) == b"train:its password"
    monkeypatch.delenv(PASSWORD)
    assert authorization() == {}
    (home / ".mlflow").mkdir()
    (home / ".mlflow/credentials").write_text("[mlflow]\n")
    assert authorization() is None
