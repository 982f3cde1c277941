"""Fixtures: object stores of both kinds. Import them into a conftest."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from components.lib.objects import s3 as s3_module
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from tests.s3_server import s3_server

SECRET = "not-so-secret-key"


@functools.cache
def admin(url: str) -> Any:
    """Return a client of the endpoint itself; made once, for that takes a while."""
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="admin",
        aws_secret_access_key="admin",
    )


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """URL of one endpoint for the session."""
    with s3_server() as url:
        yield url


@pytest.fixture
def s3_environment(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Credentials and endpoint in the environment, none of the machine's; short retries."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tester")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setattr(s3_module, "ATTEMPTS", 3)
    monkeypatch.setattr(s3_module, "FIRST_PAUSE_S", 0.01)
    return s3_url


@pytest.fixture
def bucket(s3_environment: str) -> str:
    """Name of a fresh bucket."""
    name = f"stormsight-{uuid.uuid4().hex[:12]}"
    admin(s3_environment).create_bucket(Bucket=name)
    return name


@pytest.fixture(params=["folder", "s3"])
def store_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URI of an empty store, of each kind."""
    if request.param == "folder":
        return str(tmp_path / "store")
    return f"s3://{request.getfixturevalue('bucket')}/some/prefix"


@pytest.fixture
def store(store_uri: str) -> ObjectStore:
    """Empty store, of each kind."""
    return open_objects(store_uri)
