"""MLflow server as a process of its own, on SQLite; open to everybody, or with the deployment's accounts."""

from __future__ import annotations

import os
import re
import runpy
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components.lib.tracking.parameters import TrackingParameters

CONFIGURATION = Path(__file__).parent.parent / "k8s/base/mlflow"
DECLARED: dict[str, Any] = runpy.run_path(str(CONFIGURATION / "accounts.py"))
"""Names of ``accounts.py``: ``ACCOUNTS``, ``GRANTS``, ``keep_accounts`` and so on."""

PASSWORDS = {account: f"trial-password-of-{account}" for account in DECLARED["ACCOUNTS"]}

GUARD = ("--app-name", "basic-auth", "--enable-workspaces")
"""Options with which the deployment's server asks for accounts."""


@dataclass(frozen=True)
class Guard:
    """Options and environment of a server that asks for accounts; none by default.

    Attributes:
        options: Options of ``mlflow server``.
        environment: Variables of its process.
    """

    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def configuration(folder: Path, database: str) -> Path:
    """Write the deployment's ``auth.ini`` with another database; return the file."""
    text = (CONFIGURATION / "auth.ini").read_text()
    text, found = re.subn(r"(?m)^database_uri = .*$", f"database_uri = {database}", text)
    assert found == 1
    file = folder / "auth.ini"
    file.write_text(text)
    return file


def guard(folder: Path, database: str) -> Guard:
    """Make the accounts in the server's own database, as the init container of its pod does."""
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(configuration(folder, database))}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        DECLARED["keep_accounts"](PASSWORDS)
    environment |= {"MLFLOW_FLASK_SERVER_SECRET_KEY": "trial", "MLFLOW_BASIC_AUTH_FAIL_CLOSED": "true"}
    return Guard(GUARD, environment)


def credentials(account: str) -> dict[str, str]:
    """Return the variables by which MLflow's client is this account; a pod has them from its Secret."""
    return {"MLFLOW_TRACKING_USERNAME": account, "MLFLOW_TRACKING_PASSWORD": PASSWORDS[account]}


@contextmanager
def running(folder: Path, store: TrackingParameters, guarded: Guard | None = None) -> Iterator[str]:
    """Run a server on a free loopback port that keeps and serves the artefacts; yield its address."""
    guarded = guarded or Guard()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += [
        "--backend-store-uri",
        store.uri,
        "--artifacts-destination",
        store.artifacts,
        "--workers",
        "1",
    ]
    # A tracking server only: its job runners would be eight more processes.
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **guarded.environment}
    environment.pop("MLFLOW_TRACKING_URI", None)
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *guarded.options],
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
    pytest.fail(log.read_text())
