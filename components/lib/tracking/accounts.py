"""Account on an MLflow server: the variables that name it, and failures of one that the server refuses.

MLflow is not imported: its errors are told apart by their codes.
"""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from components.contract.errors import SourceUnavailableError

if TYPE_CHECKING:
    from mlflow.exceptions import MlflowException

USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
"""Environment variables from which MLflow's client takes its account."""

_UNKNOWN, _FORBIDDEN = "UNAUTHENTICATED", "PERMISSION_DENIED"
"""MLflow's codes of HTTP 401 and 403."""


def refusal(error: Exception, uri: str) -> SourceUnavailableError | None:
    """Return the failure of an account that may not do what was asked, None for another error.

    Args:
        error: Error of MLflow's client.
        uri: Address of the server.
    """
    code = getattr(error, "error_code", None)
    if code == _UNKNOWN:
        return unknown_account(uri)
    if code == _FORBIDDEN:
        return SourceUnavailableError(
            f"MLflow at {uri} does not let account {os.environ.get(USERNAME)!r} do this",
            next_step="use the account that may: `train` writes runs, `ledger` also registers and promotes",
        )
    return None


def unknown_account(uri: str) -> SourceUnavailableError:
    """Return the failure of credentials that the server does not take.

    They are no fault of a set or its parameters, and the next pod has those that its Secret holds by then: as
    good as no answer.
    """
    missing = [name for name in (USERNAME, PASSWORD) if not os.environ.get(name)]
    who = f"{' and '.join(missing)} not set" if missing else f"account {os.environ[USERNAME]!r}"
    return SourceUnavailableError(
        f"MLflow at {uri} refuses the credentials: {who}",
        next_step=f"set {USERNAME} and {PASSWORD} to an account of that server; a pod gets them from the "
        "Secret stormsight-mlflow-<account>",
    )


def is_absent(error: MlflowException) -> bool:
    """Return whether an answer says that a version, an alias or a model does not exist.

    A server with accounts forbids what does not exist, too, so that nobody finds out by asking which names
    are taken. Every account may read every model: what it may not read is not there.
    """
    return error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", _FORBIDDEN}


def authorization() -> dict[str, str] | None:
    """Return the HTTP header of the account in the environment, empty without one.

    None if MLflow's client takes its account from elsewhere: a token, a plugin, or the user's file.
    """
    username, password = os.environ.get(USERNAME), os.environ.get(PASSWORD)
    if username and password:
        return {"Authorization": f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"}
    file = Path(os.path.expanduser("~/.mlflow/credentials"))  # noqa: PTH111 - pathlib raises without a home
    elsewhere = any(os.environ.get(name) for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_AUTH"))
    return None if elsewhere or file.exists() else {}
