"""Cases that only a network can get wrong: lost answers, broken bodies, missing buckets, silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from components.contract.errors import ResourceError, SourceUnavailableError
from components.lib.objects import s3
from components.lib.objects.opening import open_objects
from tests.object_stores import SECRET
from tests.s3_proxy import Lossy


@pytest.fixture
def lossy(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lossy]:
    proxy = Lossy(s3_environment)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    yield proxy
    proxy.close()


def test_a_created_object_whose_answer_got_lost_counts_as_made(bucket: str, lossy: Lossy) -> None:
    store = open_objects(f"s3://{bucket}")
    puts = iter((True, False))
    lossy.drop = lambda method: method == "PUT" and next(puts)
    assert store.create("ledger/1", b"mine")
    assert [method for method, _ in lossy.seen] == ["PUT", "PUT", "HEAD"]
    lossy.drop = lambda method: False
    assert store.get("ledger/1") == b"mine"
    assert not store.create("ledger/1", b"mine")


def test_a_body_that_breaks_off_is_resumed(bucket: str, lossy: Lossy) -> None:
    content = bytes(range(256)) * 12_000
    store = open_objects(f"s3://{bucket}")
    store.put("big", content)
    lossy.seen.clear()
    lossy.cut = [1_500_000, 100_000]
    assert store.get("big") == content
    ranges = [headers.get("range") for _, headers in lossy.seen]
    assert ranges[0] is None
    assert ranges[1] is not None
    assert 0 < int(ranges[1].removeprefix("bytes=").rstrip("-")) <= 1_500_000
    assert all("if-match" in headers for _, headers in lossy.seen[1:])


def test_an_object_that_changes_under_the_reader_is_reported(bucket: str, lossy: Lossy) -> None:
    store = open_objects(f"s3://{bucket}")
    store.put("big", bytes(3_000_000))
    lossy.cut = [1_500_000]
    chunks = store.chunks("big")
    next(chunks)
    store.put("big", bytes(2_900_000))
    with pytest.raises(SourceUnavailableError, match="big changed while it was read"):
        list(chunks)


def test_a_body_that_never_comes_whole_is_given_up(bucket: str, lossy: Lossy) -> None:
    store = open_objects(f"s3://{bucket}")
    store.put("big", bytes(100_000))
    lossy.cut = [0] * 20
    with pytest.raises(SourceUnavailableError, match="big broke off"):
        store.get("big")


def test_a_missing_bucket_and_a_silent_endpoint_are_named(
    s3_environment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_objects("s3://no-such-bucket/pipeline")
    for attempt in (lambda: store.get("a"), lambda: store.put("a", b""), store.list):
        with pytest.raises(
            SourceUnavailableError,
            match=rf"object store s3://no-such-bucket/pipeline at {s3_environment}: 404 NoSuchBucket",
        ) as caught:
            attempt()
        assert SECRET not in str(caught.value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://user:password@127.0.0.1:9")
    silent = open_objects("s3://bucket/pipeline")
    with pytest.raises(
        SourceUnavailableError, match=r"s3://bucket/pipeline at http://127\.0\.0\.1:9"
    ) as told:
        silent.create("a", b"")
    assert "password" not in str(told.value)


def test_without_credentials(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SourceUnavailableError, match="credentials"):
        open_objects("s3://bucket/pipeline").get("a")


def test_a_listing_of_several_pages(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "PAGE", 3)
    store = open_objects(f"s3://{bucket}/p")
    keys = [f"many/{number}/x" for number in range(8)]
    for key in [*keys, "many/folder"]:
        store.put(key, b"")
    # What some tools leave in buckets to show folders is no object of ours.
    boto3.client("s3", region_name="us-east-1").put_object(Bucket=bucket, Key="p/many/8/", Body=b"")
    assert [info.key for info in store.list("many/")] == [*keys, "many/folder"]
    assert list(store.folders("many/"))[:8] == [str(number) for number in range(8)]


def test_a_file_of_ours_that_is_not_there(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="No such file"):
        open_objects(f"s3://{bucket}").upload("a", tmp_path / "none")
