"""A stage that waits for a node keeps the claim of its run."""

from __future__ import annotations

import asyncio
import importlib
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager, PodManager
from kubernetes.client import V1Container, V1ObjectMeta, V1Pod, V1PodSpec, V1PodStatus

from components.contract.hashing import sha256_bytes
from components.contract.keys import RUNS, run_name
from components.contract.rights import allows
from components.lib.ledger.chain import utc_now
from components.lib.objects.opening import open_objects
from components.lib.operations.decisions import ClaimRequest, NothingToDo
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from components.lib.operations.plan import RunPlan
from stormsight_dags.airflow.pod_watch import AT_WORK, StagePodManager, StagePodTrigger
from stormsight_dags.liveness import RunAtWork, SignsOfLife

RUN = "asset_triggered__2026-11-20T03:00:00+00:00"
LEASE = timedelta(hours=2)
HASH = sha256_bytes(b"")


def claim(uri: str, run: str, *, hours_ago: int = 0) -> RunPlan | NothingToDo:
    """Claim what is registered, some hours ago."""
    operations = Operations(open_objects(uri), lambda: utc_now() - timedelta(hours=hours_ago))
    operations.register(Registered(acquisition="first", catalogue_sha256=HASH, marker_sha256=HASH))
    return operations.claim(ClaimRequest(run=run_name(run), code=HASH, params=HASH), lease=LEASE)


def test_a_sign_keeps_the_claim_of_a_run_whose_stage_waits(store_uri: str) -> None:
    assert isinstance(claim(store_uri, RUN, hours_ago=3), RunPlan)
    signs = SignsOfLife(RunAtWork(RUN, store_uri, None, every_s=3600.0))
    signs.give_when_due()
    refused = claim(store_uri, "another")
    assert isinstance(refused, NothingToDo)
    assert f"run {run_name(RUN)} trains this set" in refused.reason
    objects = open_objects(store_uri)
    (sign,) = [info.key for info in objects.list(RUNS) if info.key.endswith("alive.json")]
    assert allows("airflow", "objects", "write", sign)
    objects.delete(sign)
    signs.give_when_due()
    assert not objects.exists(sign), "the next one is not due yet"
    assert isinstance(claim(store_uri, "another"), RunPlan), "without a sign its lease is over"


def test_a_store_that_is_away_costs_the_sign_alone(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    SignsOfLife(RunAtWork(RUN, str(tmp_path / "file"), None, every_s=1.0)).give_when_due()
    assert "No sign of life of run" in caplog.text
    SignsOfLife(None).give_when_due()


class Counted(SignsOfLife):
    """Signs that are counted."""

    def __init__(self) -> None:
        super().__init__(None)
        self.given = 0

    def give_when_due(self) -> None:
        self.given += 1


@pytest.mark.parametrize(("phase", "given"), [("Pending", 1), ("Running", 0)])
def test_signs_are_given_while_the_pod_has_not_started(
    phase: str, given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = V1Pod(
        metadata=V1ObjectMeta(name="p", uid="u"),
        spec=V1PodSpec(containers=[V1Container(name="base")]),
        status=V1PodStatus(phase=phase),
    )

    async def read(*_: Any) -> V1Pod:
        return pod

    monkeypatch.setattr(PodManager, "read_pod", lambda *_: pod)
    monkeypatch.setattr(AsyncPodManager, "read_pod", read)
    signs = Counted()
    StagePodManager(kube_client=None, signs=signs).read_pod(pod)
    assert signs.given == given
    module: Any = importlib.import_module("stormsight_dags.airflow.pod_watch")
    manager = module.AsyncStagePodManager(async_hook=None, warnings=None, signs=signs)
    asyncio.run(manager.read_pod(pod))
    assert signs.given == 2 * given


def test_the_trigger_knows_the_run_of_its_operator() -> None:
    run = RunAtWork(RUN, "s3://bucket/pipeline", None, every_s=1800.0)
    trigger = StagePodTrigger(
        pod_name="p",
        pod_namespace="n",
        trigger_start_time=utc_now(),
        base_container_name="base",
        trigger_kwargs={AT_WORK: run.as_dict()},
    )
    copy = StagePodTrigger(**trigger.serialize()[1])
    assert RunAtWork(**copy.trigger_kwargs[AT_WORK]) == run
    assert copy.pod_manager is not None
