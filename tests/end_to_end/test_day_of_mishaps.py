"""A day on which much goes wrong, hour by hour: each mishap is told once, shown in one place, and healed.

Commands, ledgers, records, MLflow, budgets and notices are the real ones; stages do no work.
"""

from __future__ import annotations

import functools
import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import boto3
import pytest
import yaml

from components.contract.errors import BadDataError
from components.contract.notices import ALERTMANAGER, NOTICE_URL
from components.lib.objects import s3 as s3_module
from components.lib.objects.client import aws_session
from components.lib.objects.opening import open_objects
from components.lib.registry.artefact import CHAMPION
from components.lib.registry.served import SAR_MODEL
from components.runs import stage as stage_module
from stormsight_dags.kubernetes.status import PodStatus
from tests.acquisitions.releases import land, release, strip_of_day
from tests.conftest import ROOT
from tests.end_to_end.day.clock import Clock
from tests.end_to_end.day.desk import PIPELINE, Desk
from tests.end_to_end.day.stages import Gate, Script, ends, fails, goes_on_from
from tests.end_to_end.day.webhook import SLACK, listening
from tests.lib.tracking.local_store import local_store
from tests.object_stores import s3_environment, s3_url
from tests.runs.conftest import enter
from tests.runs.pipeline import World
from tests.s3_proxy import Lossy

__all__ = ["s3_environment", "s3_url"]


@pytest.fixture
def proxy(s3_environment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lossy]:
    """Way to the landing prefix, which may be closed."""
    lossy = Lossy(s3_environment)
    yield lossy
    lossy.close()


@pytest.fixture
def desk(
    proxy: Lossy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Desk]:
    """Deployment at midnight: nothing has landed yet."""
    tracking = local_store(tmp_path / "mlflow")  # before the environment names a server that is none
    bucket = f"landing-{uuid.uuid4().hex[:12]}"
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
    world = enter(World(tmp_path, str(tmp_path / "objects"), str(tmp_path / "remote")), monkeypatch)
    committed = yaml.safe_load((ROOT / "params.yaml").read_text())
    orchestration = {
        **committed["orchestration"],
        "landing_bad_looks": 3,
        "redrives": {"other": 1},
        "retry_delay_s": 0,
    }
    (world.source / "dvc.yaml").write_text(yaml.safe_dump({"stages": PIPELINE}))
    world.edit_params(orchestration=orchestration, promote=committed["promote"], tracking={})
    (world.source / "components" / "promote").mkdir()  # a pipeline with our gate has champions
    script = Script()
    with listening() as webhook:
        for name, value in {
            "AWS_ENDPOINT_URL_S3": proxy.url,
            "MLFLOW_TRACKING_URI": tracking.uri,
            "STORMSIGHT_ARTIFACTS": tracking.artifacts,
            "STORMSIGHT_LANDING": f"s3://{bucket}",
            NOTICE_URL: webhook.url + SLACK,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(stage_module, "supervise", script.supervise)
        # A session reads botocore's data files: each command would do so anew.
        monkeypatch.setattr(s3_module, "aws_session", functools.cache(aws_session))
        monkeypatch.chdir(world.source)
        clock = Clock(datetime(2026, 11, 23, tzinfo=UTC), monkeypatch)
        gate = Gate(tmp_path / "models")
        yield Desk(world, f"s3://{bucket}", clock, script, gate, webhook, capsys)


@pytest.mark.timeout(300)
def test_a_day_of_mishaps(desk: Desk, proxy: Lossy, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_night(desk)
    delivery_beside_a_bad_one(desk)
    outage(desk, proxy)
    out_of_memory(desk)
    eviction_and_stall(desk)
    monkeypatch.setenv(NOTICE_URL, desk.webhook.url + ALERTMANAGER)
    rollback_while_a_challenger_is_judged(desk)
    moved_alias(desk)
    barred_set(desk)
    redrives_spent(desk)
    healthy_evening(desk)


def arrives(desk: Desk, name: str, day: int) -> None:
    """Land a good delivery of ground of its own; it is found and registered."""
    land(open_objects(desk.landing), name, release(1, day, strip_of_day(day)))
    assert desk.look([lambda: None]) == name
    assert desk.register() == "success"


def told(desk: Desk) -> list[tuple[str, str, str]]:
    """Return event, class and severity of the notices since the last look."""
    return [(notice.event, notice.kind, notice.severity) for notice in desk.webhook.new()]


def shows(desk: Desk, *words: str) -> None:
    """Require that the page ``status`` holds the words."""
    text = desk.status()
    for found in words:
        assert found in text, text


def quiet_night(desk: Desk) -> None:
    shows(
        desk,
        "no champion yet",
        ": nothing registered: no acquisition is registered",
        "no delivery is rejected",
        "no run is at work",
        "no run has ended yet",
    )
    assert desk.retrain("scheduled-0") == {"plan": "skipped", "finish": "skipped"}
    assert told(desk) == [], "nothing to do is no news"


def delivery_beside_a_bad_one(desk: Desk) -> None:
    desk.clock.at(1)
    store = open_objects(desk.landing)
    land(store, "first", release(1, 1, strip_of_day(1)))
    land(store, "torn", release(1, 2, strip_of_day(2)), tiles=7)
    assert desk.look([lambda: None]) == "first, torn"
    assert desk.register() == "BadData"
    (notice,) = desk.webhook.new()
    assert (notice.event, notice.kind, notice.severity) == ("failed", "bad_data", "critical")
    assert "torn" in notice.text
    assert "tiles says 7" in notice.text
    shows(
        desk,
        "not registered in the landing place: 1 (torn)",
        "acquisition torn: its completeness marker is wrong",
        "registered acquisitions: 1; in no finished training: 1 (first)",
        ": not trained yet",
    )
    assert desk.register() == "skipped"
    assert desk.look([lambda: None]) == "AirflowSkipException"
    assert told(desk) == [], "told once"


def outage(desk: Desk, proxy: Lossy) -> None:
    desk.clock.at(2)

    def goes() -> None:
        proxy.denies = True

    def comes() -> None:
        proxy.denies = False

    assert desk.look([goes, goes, comes]) == "AirflowSkipException"
    assert told(desk) == [], "two bad looks are a short outage"
    assert desk.look([goes, goes, goes]) == "SourceUnavailable"
    (notice,) = desk.webhook.new()
    assert (notice.event, notice.kind, notice.severity) == ("failed", "source_unavailable", "warning")
    assert "does not answer" in notice.text
    assert "credentials" in notice.text
    shows(desk, "could not be read: object store s3://landing-", "[landing place]", "the credentials")
    # Where the project's own store is away, the page says so instead of an empty one.
    away = {"STORMSIGHT_OBJECTS": f"{desk.landing}/pipeline", "STORMSIGHT_REMOTE": f"{desk.landing}/dvc"}
    with patch.dict(os.environ, away):
        for arguments in (("status",), ("status", "--json")):
            code, report, _ = desk.command("runs", *arguments)
            assert (code, report["class"]) == (69, "source_unavailable")
            assert "nothing could be read" in report["message"]
    comes()


def out_of_memory(desk: Desk) -> None:
    desk.clock.at(3)
    desk.script.ends["train"] = [ends(137)]
    states = desk.retrain("r1")
    assert (states["prepare"], states["train"], states["finish"]) == (
        "success",
        "OutOfMemory",
        "success",
    )
    (notice,) = desk.webhook.new()
    assert (notice.event, notice.kind, notice.severity) == ("failed", "out_of_memory", "critical")
    assert "meta.memory" in notice.text
    shows(
        desk,
        ": to be started again: run r1 failed in stage train: out_of_memory",
        "redrive 1 of 1 is due",
        "last failure of train: out_of_memory at 2026-11-23T03:00",
        "run r1 failed in train: out_of_memory",
    )
    assert desk.redrive() == "success"
    assert told(desk) == []


def eviction_and_stall(desk: Desk) -> None:
    desk.clock.at(4)
    desk.script.ran.clear()
    desk.pods["pipeline.train"] = [PodStatus(phase="Failed", reason="Evicted", message="node pressure")]
    desk.script.ends = {
        "train": [ends(143, checkpoint="step 700"), ends(124), goes_on_from("step 700")],
        "promote": [desk.gate.judging(0.5)],
    }
    assert desk.task("retrain", "r2", "plan", "runs", "plan", "--run", "r2") == "success"
    shows(
        desk,
        ": at work: run r2 trains this set",
        "run r2 holds the claim of set",
        "last sign of life 2026-11-23 04:00 UTC",
    )
    desk.warn_of_stall("r2", "train")
    states = desk.retrain("r2")
    assert set(states.values()) == {"success"}, states
    assert desk.script.ran == ["train", "train", "train", "promote"]
    assert told(desk) == [
        ("stalling", "stalled", "critical"),
        ("retried", "stalled", "warning"),
        ("promoted", "", "info"),
    ], "an eviction within its budget is no news"
    shows(
        desk,
        "stormsight-sar: version 1 since 2026-11-23T04:00",
        "version 1: method concord, iou 0.500 (simulated); run r2",
        "stormsight-sar: MLflow's alias is the ledger's champion",
        ": trained: this set is trained",
        "registered acquisitions: 1; in no finished training: 0 (none)",
        "run r2 succeeded: promoted",
    )


def rollback_while_a_challenger_is_judged(desk: Desk) -> None:
    desk.clock.at(6)
    arrives(desk, "second", 3)
    desk.script.ends["promote"] = [desk.gate.judging(0.6)]
    assert set(desk.retrain("r3").values()) == {"success"}
    assert told(desk) == [("promoted", "", "info")]

    desk.clock.at(8)
    arrives(desk, "third", 4)

    def rollback() -> None:
        desk.by_hand("promote", "rollback", "--reason", "misses barns")

    desk.script.ends["promote"] = [
        desk.gate.judging(0.55, meanwhile=rollback),  # refused by a champion that is none any more
        desk.gate.judging(0.55),
    ]
    assert set(desk.retrain("r4").values()) == {"success"}
    assert told(desk) == [("rolled back", "", "info"), ("promoted", "", "info")]
    shows(
        desk,
        "version 3 since 2026-11-23T08:00",
        "the gain over version 1 is +0.05",
        "run r4 succeeded: promoted",
    )
    history = desk.by_hand("promote", "history")
    assert "2 -> 1" in history
    assert "misses barns  [ada]" in history


def moved_alias(desk: Desk) -> None:
    desk.clock.at(10)
    registry = desk.gate.registry
    registry.connection.client.set_registered_model_alias(SAR_MODEL, CHAMPION, "2")
    arrives(desk, "fourth", 5)
    assert desk.task("housekeeping", "nightly", "served", "promote", "verify") == "BadData"
    assert desk.retrain("r5") == {"plan": "BadData", "finish": "skipped"}
    notices = desk.webhook.new()
    assert [(n.event, n.kind, n.severity) for n in notices] == [("failed", "bad_data", "critical")] * 2
    repair = "python -m components.promote restore-alias --model stormsight-sar"
    assert all(repair in notice.text for notice in notices)
    shows(
        desk, "the ledger's champion is version 3, the alias points to version 2", repair, ": not trained yet"
    )
    desk.by_hand(*repair.removeprefix("python -m components.").split())
    assert told(desk) == [("alias restored", "", "info")]
    shows(desk, "stormsight-sar: MLflow's alias is the ledger's champion")
    assert desk.task("housekeeping", "nightly", "served", "promote", "verify") == "success"


def barred_set(desk: Desk) -> None:
    desk.clock.at(12)
    desk.script.ends["prepare"] = [
        fails(BadDataError("fourth: strip 5 has no tile", next_step="land it again"))
    ]
    assert desk.retrain("r6")["prepare"] == "BadData"
    assert told(desk) == [("failed", "bad_data", "critical")]
    assert desk.redrive() == "skipped"
    barred = [("barred", "nothing_to_do", "warning")]
    for hour, news in ((13, barred), (20, []), (37, barred)):
        desk.clock.at(hour)
        assert desk.retrain(f"scheduled-{hour}") == {"plan": "skipped", "finish": "skipped"}
        assert told(desk) == news, "once a day"
    shows(
        desk,
        ": barred: this set failed for good in run r6, stage prepare: bad_data: fourth: strip 5 has no tile",
        "withdraw the acquisition that it names",
        "last failure of prepare: bad_data",
    )
    desk.by_hand("acquisitions", "withdraw", "fourth", "--reason", "a strip without tiles")
    shows(desk, ": trained: this set is trained", "registered acquisitions: 3; in no finished training: 0")


def redrives_spent(desk: Desk) -> None:
    desk.clock.at(40)
    arrives(desk, "fifth", 6)
    crash = [ends(139)] * 3
    desk.script.ends["train"] = list(crash)
    assert desk.retrain("r7")["train"] == "Crashed"
    retries = [("retried", "crashed", "warning")] * 2
    assert told(desk) == [*retries, ("failed", "crashed", "critical")]
    assert desk.redrive() == "success"
    desk.script.ends["train"] = list(crash)
    assert desk.retrain("r8")["train"] == "Crashed"
    assert told(desk) == [*retries, ("failed", "crashed", "critical")]
    assert [desk.redrive(), desk.redrive()] == ["RedrivesSpent", "skipped"]
    (notice,) = desk.webhook.new()
    assert (notice.event, notice.kind, notice.severity) == ("failed", "redrives_spent", "critical")
    assert "all 1 redrives of class crashed are spent" in notice.text
    shows(desk, ": redrives spent: run r8 failed in stage train: crashed", "the next scheduled run")


def healthy_evening(desk: Desk) -> None:
    desk.clock.at(42)
    desk.script.ends["promote"] = [desk.gate.judging(0.1)]
    states = desk.retrain("by-hand")
    assert (states["promote"], states["gate"]) == ("success", "skipped"), "a refusal is an ordinary result"
    assert told(desk) == [("refused", "gate_refused", "info")]
    shows(
        desk,
        "version 3 since 2026-11-23T08:00",
        "MLflow's alias is the ledger's champion",
        ": trained: this set is trained",
        "registered acquisitions: 4; in no finished training: 0 (none)",
        "no run is at work",
        "run by-hand succeeded: not promoted",
    )
    assert desk.redrive() == "skipped"
    assert desk.task("housekeeping", "nightly", "served", "promote", "verify") == "success"
    assert desk.register() == "skipped"
    assert told(desk) == []
