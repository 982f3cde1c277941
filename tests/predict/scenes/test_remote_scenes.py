"""Scenes in buckets: fetched once, and the same as on a disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.contract.errors import MissingInputError, ParameterError
from components.lib.datasets.rehearsal import REHEARSAL
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Scene
from components.lib.objects.opening import open_objects
from components.lib.objects.s3 import S3Objects
from components.predict.scenes.opening import open_scenes
from components.simulation.release import ReleaseFile
from tests.object_stores import admin
from tests.predict.scenes.simulated import AIRBORNE, write_folder

WINDOW = Box(0, 0, 300, 300)


def upload(folder: Path, uri: str) -> None:
    store = open_objects(uri)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            store.upload(path.relative_to(folder).as_posix(), path)


@pytest.fixture(scope="session")
def one_strip(airborne: list[ReleaseFile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one strip of the release, and its summaries."""
    strip = min(
        REHEARSAL.parse(name).strip for file in airborne if REHEARSAL.matches(name := Path(file.path).name)
    )
    files = [file for file in airborne if strip in file.path or "SummaryData" in file.path]
    return write_folder(files, tmp_path_factory.mktemp("strip"))


def opened(source: str, scratch: Path, sensor: str | None = AIRBORNE) -> list[Scene]:
    return open_scenes([source], sensor=sensor, modality="sar", orientation=None, scratch=scratch)


def assert_same(scenes: list[Scene], others: list[Scene]) -> None:
    assert [scene.facts for scene in scenes] == [scene.facts for scene in others]
    for scene, other in zip(scenes, others, strict=True):
        np.testing.assert_array_equal(scene.read(WINDOW), other.read(WINDOW))


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the objects that are downloaded."""
    keys: list[str] = []
    download = S3Objects.download

    def counted(self: S3Objects, key: str, path: Path, **options: Any) -> None:
        keys.append(key)
        download(self, key, path, **options)

    monkeypatch.setattr(S3Objects, "download", counted)
    return keys


def test_a_delivery_in_a_bucket_is_fetched_once_and_only_what_is_needed(
    one_strip: Path, bucket: str, fetches: list[str], tmp_path: Path
) -> None:
    uri = f"s3://{bucket}/deliveries/one/0123"
    upload(one_strip, uri)
    local = opened(str(one_strip), tmp_path)
    assert_same(opened(uri, tmp_path / "scratch"), local)
    assert {key.split("/")[0] for key in fetches} == {"SAR-Intensity", "SummaryData"}
    assert len(fetches) == len(set(fetches))
    fetched = sorted((tmp_path / "scratch").rglob("*.tif"))
    fetched[0].unlink()  # as a killed command leaves it
    fetches.clear()
    assert_same(opened(uri, tmp_path / "scratch"), local)
    assert [Path(key).name for key in fetches] == [fetched[0].name]


def test_shards_in_a_bucket(airborne_partition: Path, bucket: str, tmp_path: Path) -> None:
    upload(airborne_partition, f"s3://{bucket}/raw/p00")
    scenes = opened(f"s3://{bucket}/raw/p00", tmp_path / "scratch", sensor=None)
    assert_same(scenes, opened(str(airborne_partition), tmp_path, sensor=None))


def test_one_file_in_a_public_bucket_needs_no_credentials(
    airborne_folder: Path, bucket: str, s3_environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = min(airborne_folder.rglob("SAR-Intensity/*.tif"))
    key = f"scenes/{path.name}"
    admin(s3_environment).put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ACL="public-read")
    admin(s3_environment).put_bucket_acl(Bucket=bucket, ACL="public-read")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (scene,) = open_scenes(
        [f"s3://{bucket}/scenes/{path.name}"],
        sensor=AIRBORNE,
        modality="sar",
        orientation=1,
        scratch=tmp_path / "scratch",
    )
    assert scene.facts.sources[0].name == path.name
    assert scene.facts.orientation == 1
    assert scene.read(Box(0, 0, 128, 128)).any()


def test_an_address_without_objects_and_one_of_another_kind_are_named(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=rf"s3://{bucket}/none holds no images"):
        opened(f"s3://{bucket}/none", tmp_path)
    with pytest.raises(MissingInputError, match=r"none\.tif"):
        opened(f"s3://{bucket}/none.tif", tmp_path)
    with pytest.raises(ParameterError, match="https://"):
        opened("https://example.org/scene.tif", tmp_path)
