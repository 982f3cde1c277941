"""Fixtures: the small pipeline on folders and on a real S3 endpoint."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import boto3
import pytest

from tests.object_stores import s3_url
from tests.runs.pipeline import World, make_source, plain_lock, through

__all__ = ["s3_url"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Deployment on folders, fresh."""
    return enter(World(tmp_path, str(tmp_path / "objects"), str(tmp_path / "remote")), monkeypatch)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Deployment on folders whose run r1 went through all stages, and was not finished yet."""
    root = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = enter(World(root, str(root / "objects"), str(root / "remote")), monkeypatch)
        through(world, "r1")
    return world


@pytest.fixture
def trained(template: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Copy of that deployment."""
    root = tmp_path / "copy"
    shutil.copytree(template.root, root)
    return enter(World(root, str(root / "objects"), str(root / "remote")), monkeypatch)


@pytest.fixture
def s3_world(tmp_path: Path, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    """Deployment, fresh, with objects and data in a bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "admin")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "admin")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = tmp_path.name.replace("_", "-").lower()
    boto3.client("s3").create_bucket(Bucket=bucket)
    return enter(World(tmp_path, f"s3://{bucket}/pipeline", f"s3://{bucket}/dvc"), monkeypatch)


def enter(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Write the pipeline and set the environment that a pod would have."""
    if not world.source.exists():
        make_source(world.source)
        (world.root / "home").mkdir()
    for name in [name for name in os.environ if name.startswith(("STORMSIGHT_", "DVC_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    for name, value in world.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.root)
    return world


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> str:
    """dvc.lock as a plain ``dvc repro`` of the small pipeline writes it."""
    root = tmp_path_factory.mktemp("plain")
    world = World(root, str(root / "objects"), str(root / "remote"))
    make_source(world.source)
    return plain_lock(world.source, root, world.variables())
