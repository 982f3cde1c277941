"""Notices name the failure and the next step, and never a secret."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager

from components.contract.failures import FailureKind
from components.contract.notices import NOTICE_URL, Notice, send
from stormsight_dags.airflow import notices
from stormsight_dags.airflow.notices import (
    StallWarnings,
    deadline_notice,
    failure_notice,
    notify_deadline,
    promotion_notice,
)
from stormsight_dags.airflow.pod_watch import AsyncStagePodManager
from stormsight_dags.failures import Failure, exception_for
from stormsight_dags.liveness import SignsOfLife

INSTANCE = SimpleNamespace(
    dag_id="retrain", run_id="r1", task_id="pipeline.optical", try_number=2, log_url="http://ui/log"
)


def test_a_failure_is_reported_with_stage_class_and_next_step() -> None:
    failure = Failure(FailureKind.OUT_OF_MEMORY, "optical", "OOMKilled", "killed; AWS_SECRET_ACCESS_KEY=abc")
    notice = failure_notice({"ti": INSTANCE, "exception": exception_for(failure)})
    assert notice["stage"] == "optical"
    assert notice["class"] == "out_of_memory"
    assert "meta.memory" in notice["next_step"]
    assert "abc" not in notice["message"]
    assert notice["log"] == "http://ui/log"


def test_an_untyped_failure_is_reported_too() -> None:
    notice = failure_notice({"ti": INSTANCE, "exception": ValueError("password=hunter2 is wrong")})
    assert notice["class"] == "unknown"
    assert notice["message"].startswith("ValueError")
    assert "hunter2" not in notice["message"]
    assert failure_notice({"ti": INSTANCE})["message"] == "the task left no message"


def test_a_missed_deadline_is_sent(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    context = {"dag_run": {"dag_id": "retrain", "dag_run_id": "r1"}}
    assert deadline_notice(context, 48)["run"] == "r1"
    monkeypatch.delenv(NOTICE_URL, raising=False)
    asyncio.run(notify_deadline(48.0, context))
    assert "deadline missed" in caplog.text
    assert "48 hours more than recent runs" in caplog.text


def test_a_promotion_is_told_of_each_model_or_without_names() -> None:
    """The result of a pod lies under another key than that of a process."""

    def promoted(results: dict[str, Any]) -> str:
        def pull(task_ids: str, key: str) -> Any:
            assert task_ids == "gate"
            return results[key]

        instance = SimpleNamespace(dag_id="retrain", run_id="r1", task_id="gate", xcom_pull=pull)
        return promotion_notice({"ti": instance})["message"]

    models = {"models": {"stormsight-sar": "promoted", "stormsight-change": "refused"}}
    words = "run r1 made a new champion: stormsight-change refused, stormsight-sar promoted"
    assert promoted({"return_value": models}) == words
    assert promoted({"return_value": [], "result": models}) == words
    assert (
        promoted({"return_value": {"key": "k", "promoted": True}, "result": None}) == words.partition(":")[0]
    )
    assert promoted({}) == words.partition(":")[0], "it cannot be read"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret-token", "file:///secret-token"])
def test_an_unreachable_webhook_harms_nobody(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NOTICE_URL, url)
    monkeypatch.setattr("components.contract.notices.PAUSES_S", ())
    assert send({"event": "failed"}) is False
    assert "not posted" in caplog.text
    assert "secret-token" not in caplog.text


def test_a_stage_in_which_nothing_moves_is_told_before_it_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trigger reads the lines of the current second twice."""
    sent: list[Notice] = []
    monkeypatch.setattr(notices, "send", sent.append)
    monkeypatch.setattr(AsyncPodManager, "_emit_container_logs", lambda *_: None)
    manager = AsyncStagePodManager(async_hook=None, warnings=StallWarnings(INSTANCE), signs=SignsOfLife(None))
    line = (
        "2026-11-28T21:00:00Z WARNING STALL WARNING: optical: no step, no log line and no byte for 30 minutes"
    )
    for lines in (["2026-11-28T20:00:00Z step 7"], [line], [line]):
        manager._emit_container_logs(lines, None, "base")
    (notice,) = sent
    assert (notice["event"], notice["class"], notice["severity"]) == ("stalling", "stalled", "critical")
    assert notice["message"].startswith("STALL WARNING: optical: no step")
    assert (notice["run"], notice["task"]) == ("r1", "pipeline.optical")
