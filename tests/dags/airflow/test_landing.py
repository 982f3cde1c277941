"""The landing trigger waits, outlives errors and gives up after a while."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from components.contract.errors import SourceUnavailableError
from components.contract.failures import FailureKind
from stormsight_dags.airflow.landing import LandingSensor, LandingTrigger
from stormsight_dags.failures import EXCEPTIONS
from stormsight_dags.landing.scan import LandingScan
from stormsight_dags.settings.load import load_settings


def run(trigger: LandingTrigger, meanwhile: Any = None) -> dict[str, Any]:
    """Return the event of the trigger, made from its serialised form as in the triggerer."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    copy = getattr(importlib.import_module(module), name)(**arguments)

    async def both() -> dict[str, Any]:
        async def act() -> None:
            if meanwhile is not None:
                await asyncio.sleep(0.05)
                meanwhile()

        task = asyncio.create_task(act())
        event = await anext(copy.run())
        await task
        payload: dict[str, Any] = event.payload
        return payload

    return asyncio.run(both())


def test_trigger_waits_for_a_marker_and_outlives_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    landing, ledger = tmp_path / "landing" / "a", tmp_path / "objects" / "ledger" / "operations"
    landing.mkdir(parents=True)
    ledger.mkdir(parents=True)
    (ledger / "000000001.json").write_text("{ not JSON")  # is told by the registration, and stops nothing
    look = LandingScan.pending

    def pending(scan: LandingScan) -> list[str]:
        if not (landing / "COMPLETE.json").exists():
            raise ConnectionError("no answer")
        return look(scan)

    monkeypatch.setattr(LandingScan, "pending", pending)

    def mend() -> None:
        (landing / "COMPLETE.json").write_text("{}")

    assert run(waiting(tmp_path, bad_looks=1000), mend) == {"acquisitions": ["a"]}
    assert "Look 1 failed in a row: ConnectionError: no answer" in capsys.readouterr().out


def test_trigger_gives_up_after_a_while(tmp_path: Path) -> None:
    assert run(waiting(tmp_path, renew_s=0.05)) == {"acquisitions": []}


def test_so_many_bad_looks_in_a_row_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["no", "no", "yes", "no", "no", "no"]
    seen = iter(answers)

    def pending(scan: LandingScan) -> list[str]:
        if next(seen) == "no":
            raise SourceUnavailableError("403 AccessDenied", next_step="renew the credentials")
        return []

    monkeypatch.setattr(LandingScan, "pending", pending)
    event = run(waiting(tmp_path, bad_looks=3))
    assert list(seen) == [], "two bad looks and a good one are a short outage"
    failure = {
        "kind": "source_unavailable",
        "message": "403 AccessDenied",
        "next_step": "renew the credentials",
    }
    assert event == {"failure": failure, "looks": 3}
    with pytest.raises(EXCEPTIONS[FailureKind.SOURCE_UNAVAILABLE]) as told:
        sensor().landed(SimpleNamespace(), event)  # type: ignore[arg-type]
    assert "3 looks in a row failed" in str(told.value)
    assert "renew the credentials" in str(told.value)


def test_a_day_that_ends_with_bad_looks_does_not_end_silently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pending(scan: LandingScan) -> list[str]:
        raise KeyError("a defect; password=hunter2")

    monkeypatch.setattr(LandingScan, "pending", pending)
    event = run(waiting(tmp_path, renew_s=0, bad_looks=2))
    assert (event["failure"]["kind"], event["looks"]) == ("code_error", 2)
    assert "hunter2" not in str(event)


def test_a_folder_of_any_name_is_told_as_plain_text(tmp_path: Path) -> None:
    for name in ("\x1b[31mred", "\udcff", "Ä", "plain-1"):
        (tmp_path / "landing" / name).mkdir(parents=True)
        (tmp_path / "landing" / name / "COMPLETE.json").write_text("{}")
    names = run(waiting(tmp_path))["acquisitions"]
    assert "plain-1" in names
    assert len(names) == 4
    assert all(name.isprintable() and name.encode() for name in names)


def waiting(folder: Path, *, renew_s: float = 60, bad_looks: int = 10) -> LandingTrigger:
    places = str(folder / "landing"), str(folder / "objects")
    return LandingTrigger(*places, None, poll_s=0.01, renew_s=renew_s, bad_looks=bad_looks)


def sensor() -> LandingSensor:
    return LandingSensor(task_id="landed", settings=load_settings({}))
