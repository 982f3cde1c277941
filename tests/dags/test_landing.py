"""What counts as new in the landing place, on a folder and on a real S3 endpoint, beside the real ledger."""

from __future__ import annotations

import asyncio
import importlib
import time
from pathlib import Path
from typing import Any

import pytest

from components.acquisitions.rejections import Rejection
from components.contract.errors import BadDataError
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from stormsight_dags.landing import LandingTrigger
from stormsight_dags.landing.watch import Watch, entries_since, registrations
from stormsight_dags.store import open_store

SHA = "0" * 64


def register(objects: ObjectStore, name: str) -> None:
    Operations(objects).register(
        Registered(acquisition=name, catalogue_sha256=SHA, marker_sha256=SHA),
    )


def refuse(landing: ObjectStore, objects: ObjectStore, name: str) -> None:
    error = BadDataError("no", next_step="mend it")
    Rejection.of(name, landing.get(f"{name}/COMPLETE.json"), landing.list(f"{name}/"), error).write(objects)


def test_watch_agrees_with_the_registering_command(store_uri: str) -> None:
    landing, objects = open_objects(f"{store_uri}/landing"), open_objects(f"{store_uri}/objects")
    watch = Watch(open_store(f"{store_uri}/landing"), open_store(f"{store_uri}/objects"))
    assert watch.look() == []
    landing.put("b/tile.tif", b"x")
    assert watch.look() == [], "without its marker it is still arriving"
    for name in ("b", "a", "Odd Name"):
        landing.put(f"{name}/COMPLETE.json", b"{}")
    assert watch.look() == ["Odd Name", "a", "b"]
    register(objects, "a")
    assert watch.look() == ["Odd Name", "b"]
    refuse(landing, objects, "b")
    refuse(landing, objects, "Odd Name")
    assert watch.look() == []
    # S3 tells times in whole seconds.
    time.sleep(1.1)
    landing.put("b/tile.tif", b"y")
    assert watch.look() == ["b"], "an upload after the refusal deserves another look"
    register(objects, "b")
    assert watch.look() == []


def test_ledger_is_read_on_from_an_entry(store_uri: str) -> None:
    objects, store = open_objects(store_uri), open_store(store_uri)
    assert registrations(entries_since(store, 0)) == {}
    register(objects, "a")
    Operations(objects).withdraw("a", "a trial")
    register(objects, "b")
    assert registrations(entries_since(store, 0)) == {1: "a", 3: "b"}
    assert registrations(entries_since(store, 1)) == {3: "b"}
    assert entries_since(store, 3) == {}


def run(trigger: LandingTrigger, meanwhile: Any = None) -> dict[str, Any]:
    """What the trigger yields, made from its serialised form as in the triggerer."""
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
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    landing, ledger = tmp_path / "landing" / "a", tmp_path / "objects" / "ledger" / "operations"
    landing.mkdir(parents=True)
    ledger.mkdir(parents=True)
    (ledger / "000000001.json").write_text("{ not JSON")

    def mend() -> None:
        (landing / "COMPLETE.json").write_text("{}")
        (ledger / "mended.json").write_text('{"body": {"event": "withdrawn", "acquisition": "b"}}')
        (ledger / "mended.json").replace(ledger / "000000001.json")

    trigger = LandingTrigger(str(tmp_path / "landing"), str(tmp_path / "objects"), None, 0.01, 60)
    assert run(trigger, mend) == {"acquisitions": ["a"]}
    assert "trying again" in capsys.readouterr().out


def test_trigger_gives_up_after_a_while(tmp_path: Path) -> None:
    trigger = LandingTrigger(str(tmp_path / "landing"), str(tmp_path / "objects"), None, 0.01, 0.05)
    assert run(trigger) == {"acquisitions": []}
