"""A store that does not create once is refused before anything is written to a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.acquisitions.__main__ import main
from components.lib.objects import conditional
from components.lib.objects.conditional import UnconditionalStoreError, require_conditional_writes
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.runs.environment import Environment
from components.runs.plan import plan
from tests.s3_proxy import Lossy


@pytest.fixture
def service(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lossy]:
    """Service that may ignore or refuse the header; nothing is remembered of others."""
    monkeypatch.setattr(conditional, "_proven", set())
    proxy = Lossy(s3_environment)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    yield proxy
    proxy.close()


def test_any_store_of_ours_passes_and_is_tried_once(store: ObjectStore) -> None:
    require_conditional_writes(store)
    require_conditional_writes(store)
    assert [info.key for info in store.list()] in ([], ["probe/conditional-write"])


def test_a_trial_costs_one_write_and_is_remembered(bucket: str, service: Lossy) -> None:
    require_conditional_writes(open_objects(f"s3://{bucket}/x"))
    assert [method for method, _ in service.seen] == ["PUT", "PUT", "HEAD"]
    require_conditional_writes(open_objects(f"s3://{bucket}/x"))
    assert len(service.seen) == 3
    conditional._proven.clear()
    require_conditional_writes(open_objects(f"s3://{bucket}/x"))
    assert [method for method, _ in service.seen[3:]] == ["PUT", "HEAD"]


def test_a_service_that_ignores_the_header_is_refused_by_name(bucket: str, service: Lossy) -> None:
    service.ignores = True
    store = open_objects(f"s3://{bucket}/x")
    for _ in range(2):
        with pytest.raises(UnconditionalStoreError, match="in spite of If-None-Match") as told:
            require_conditional_writes(store)
    assert f"s3://{bucket}/x at {service.url}" in told.value.message
    assert told.value.exit_code == 78


def test_a_service_that_refuses_the_header_is_told_from_one_that_is_away(bucket: str, service: Lossy) -> None:
    service.refuses = True
    with pytest.raises(UnconditionalStoreError, match="501"):
        require_conditional_writes(open_objects(f"s3://{bucket}/x"))


def test_plan_and_register_refuse_such_a_service_before_they_write(
    bucket: str, service: Lossy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.ignores = True
    uri = f"s3://{bucket}/x"
    monkeypatch.setenv("STORMSIGHT_OBJECTS", uri)
    monkeypatch.setenv("STORMSIGHT_LANDING", str(tmp_path / "landing"))
    monkeypatch.setenv("STORMSIGHT_SOURCE", str(Path(__file__).parents[3]))
    with pytest.raises(UnconditionalStoreError):
        main(["register"])
    with pytest.raises(UnconditionalStoreError):
        plan(Environment.read(), "run-1")
    assert [info.key for info in open_objects(uri).list()] == ["probe/conditional-write"]
