"""Stores in a folder, and in a bucket of a real S3 endpoint."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from components.housekeeping.parameters import Places
from components.lib.objects.opening import open_objects
from tests.housekeeping.history import History
from tests.object_stores import s3_url

__all__ = ["s3_url"]


@pytest.fixture
def folder(tmp_path: Path) -> History:
    objects, remote = open_objects(str(tmp_path / "objects")), open_objects(str(tmp_path / "remote"))
    return History(Places(objects, remote, tmp_path))


@pytest.fixture
def bucket(s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    for name, value in {
        "AWS_ENDPOINT_URL_S3": s3_url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "word",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    name = tmp_path.name.replace("_", "-").lower()
    boto3.client("s3").create_bucket(Bucket=name)
    places = Places(open_objects(f"s3://{name}/pipeline"), open_objects(f"s3://{name}/dvc"), tmp_path)
    return History(places)


@pytest.fixture(params=["folder", "bucket"])
def history(request: pytest.FixtureRequest) -> History:
    """Both kinds of store."""
    found: History = request.getfixturevalue(request.param)
    return found
