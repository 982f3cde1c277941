"""Pending acquisitions on a folder and on a real S3 endpoint, beside the real ledger."""

from __future__ import annotations

import time

from components.acquisitions.rejections import Rejection
from components.contract.errors import BadDataError
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from stormsight_dags.landing.scan import LandingScan, entries_since, registrations
from stormsight_dags.landing.store import open_reader

SHA = "0" * 64


def register(objects: ObjectStore, name: str) -> None:
    Operations(objects).register(
        Registered(acquisition=name, catalogue_sha256=SHA, marker_sha256=SHA),
    )


def refuse(landing: ObjectStore, objects: ObjectStore, name: str) -> None:
    error = BadDataError("no", next_step="mend it")
    Rejection.of(name, landing.get(f"{name}/COMPLETE.json"), landing.list(f"{name}/"), error).write(objects)


def test_the_scan_agrees_with_the_registering_command(store_uri: str) -> None:
    landing, objects = open_objects(f"{store_uri}/landing"), open_objects(f"{store_uri}/objects")
    scan = LandingScan(open_reader(f"{store_uri}/landing"), open_reader(f"{store_uri}/objects"))
    assert scan.pending() == []
    landing.put("b/tile.tif", b"x")
    assert scan.pending() == [], "without its marker it is still arriving"
    for name in ("b", "a", "Odd Name"):
        landing.put(f"{name}/COMPLETE.json", b"{}")
    assert scan.pending() == ["Odd Name", "a", "b"]
    register(objects, "a")
    assert scan.pending() == ["Odd Name", "b"]
    refuse(landing, objects, "b")
    refuse(landing, objects, "Odd Name")
    assert scan.pending() == []
    # S3 tells times in whole seconds.
    time.sleep(1.1)
    landing.put("b/tile.tif", b"y")
    assert scan.pending() == ["b"], "an upload after the refusal deserves another look"
    register(objects, "b")
    assert scan.pending() == []


def test_ledger_is_read_on_from_an_entry(store_uri: str) -> None:
    objects, store = open_objects(store_uri), open_reader(store_uri)
    assert registrations(entries_since(store, 0)) == {}
    register(objects, "a")
    Operations(objects).withdraw("a", "a trial")
    register(objects, "b")
    assert registrations(entries_since(store, 0)) == {1: "a", 3: "b"}
    assert registrations(entries_since(store, 1)) == {3: "b"}
    assert entries_since(store, 3) == {}
