"""The servers that pods talk to, on this machine: an S3 endpoint (moto) and an MLflow server."""

from __future__ import annotations

import functools
import os
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from tests.cluster.processes import Server, free_port, listening
from tests.conftest import ROOT
from tests.mlflow_server import guard

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "stormsight-lab",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""Credentials for the lab's endpoint, which accepts any."""


@dataclass(frozen=True)
class Endpoint:
    """A server on this machine.

    Attributes:
        local: Its URL here.
        pods: Its URL in pods of every node.
    """

    local: str
    pods: str


@dataclass(frozen=True)
class S3(Endpoint):
    """The S3 endpoint."""

    @functools.cached_property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.local,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    @property
    def environment(self) -> dict[str, str]:
        """Environment that a command on this machine needs to reach it."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": self.local}

    def bucket(self, name: str) -> str:
        """Make a bucket."""
        self.client.create_bucket(Bucket=name)
        return name

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Every key below ``prefix``, sorted."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def has(self, bucket: str, key: str) -> bool:
        """Return whether there is an object; cheaper than a listing, which moto makes of all keys."""
        try:
            self.client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            return False
        return True

    def read(self, bucket: str, key: str) -> bytes:
        """One object's content."""
        return bytes(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())


def base_environment() -> dict[str, str]:
    """This process's environment without what would lead a server or a command elsewhere."""
    dropped = ("AWS_", "MLFLOW_", "AIRFLOW_", "STORMSIGHT_", "DVC_", "KUBE", "PYTEST_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    return {**kept, "DO_NOT_TRACK": "1", "DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}


def start_s3(folder: Path, host: str) -> tuple[Server, S3]:
    """Start the S3 endpoint of the other tests on a free port of every address."""
    port = free_port()
    server = Server(
        "moto",
        [sys.executable, str(ROOT / "tests" / "s3_server.py"), "--host", "0.0.0.0", "--port", str(port)],
        {**base_environment(), **CREDENTIALS},
        folder / "moto.log",
    )
    server.start()
    server.wait_ready(lambda: listening("127.0.0.1", port))
    return server, S3(f"http://127.0.0.1:{port}", f"http://{host}:{port}")


def start_mlflow(folder: Path, host: str, artefacts: Path) -> tuple[Server, Endpoint]:
    """Start an MLflow server on SQLite that serves its artefacts itself, to the deployment's accounts."""
    port, database = free_port(), f"sqlite:///{folder}/mlflow.db"
    guarded = guard(folder, database)
    arguments = ["--host", "0.0.0.0", "--port", str(port), "--workers", "1", "--allowed-hosts", "*"]
    stores = [
        "--backend-store-uri",
        database,
        "--artifacts-destination",
        str(artefacts),
    ]
    command = [sys.executable, "-m", "mlflow", "server", *arguments, *stores, *guarded.options]
    # Without its background jobs, which are a dozen processes.
    environment = {**base_environment(), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", **guarded.environment}
    server = Server("mlflow", command, environment, folder / "mlflow.log")
    server.start()
    return server, Endpoint(f"http://127.0.0.1:{port}", f"http://{host}:{port}")


def answers(url: str) -> bool:
    """Return ``True`` if an HTTP GET of ``url`` succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False
