"""One S3 endpoint for the whole session; a fresh bucket and a fresh proxy for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.download.sources import retrying
from tests.download.endpoint import BUCKET, Proxy, admin
from tests.object_stores import s3_url

__all__ = ["s3_url"]


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials, endpoints or proxies of the machine, and short pauses."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def bucket(s3_url: str) -> Iterator[str]:
    """The endpoint's URL, with the bucket there and empty."""
    client = admin(s3_url)
    client.create_bucket(Bucket=BUCKET)
    yield s3_url
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=BUCKET, Key=found["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture
def proxy(bucket: str) -> Iterator[Proxy]:
    made = Proxy(bucket)
    yield made
    made.close()
