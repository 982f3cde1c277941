"""The landing trigger waits, outlives errors and gives up after a while."""

from __future__ import annotations

import asyncio
import importlib
from pathlib import Path
from typing import Any

import pytest

from stormsight_dags.airflow.landing import LandingTrigger
from stormsight_dags.landing.scan import LandingScan


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

    trigger = LandingTrigger(str(tmp_path / "landing"), str(tmp_path / "objects"), None, 0.01, 60)
    assert run(trigger, mend) == {"acquisitions": ["a"]}
    assert "trying again" in capsys.readouterr().out


def test_trigger_gives_up_after_a_while(tmp_path: Path) -> None:
    trigger = LandingTrigger(str(tmp_path / "landing"), str(tmp_path / "objects"), None, 0.01, 0.05)
    assert run(trigger) == {"acquisitions": []}
