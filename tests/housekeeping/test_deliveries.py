"""Copies of deliveries: which go, and when."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import pytest

from components.contract.keys import DELIVERIES, delivery_prefix
from components.lib.objects.folder import FolderObjects
from components.lib.operations.events import Registered
from tests.housekeeping.history import History
from tests.housekeeping.test_prune import POLICY, run

MARKER, OTHER = "a" * 64, "b" * 64


def deliver(history: History, name: str, marker: str = MARKER) -> str:
    """Copy an acquisition; its prefix."""
    prefix = delivery_prefix(name, marker)
    for file in ("x.tif", "folder/y.tif"):
        history.places.objects.put(prefix + file, b"tile")
    return prefix


def register(history: History, name: str) -> str:
    """Copy and register an acquisition; the prefix of its copy."""
    prefix = deliver(history, name)
    event = Registered(acquisition=name, catalogue_sha256="0" * 64, marker_sha256=MARKER)
    history.operations.register(event)
    return prefix


def there(history: History) -> set[str]:
    objects = history.places.objects
    return {f"{info.key.rpartition('/')[0]}/".replace("folder/", "") for info in objects.list(DELIVERIES)}


def test_a_withdrawn_delivery_goes_with_the_last_training_that_took_it(history: History) -> None:
    gone, stays = register(history, "gone"), register(history, "stays")
    took, _ = history.training("took")
    history.operations.withdraw("gone", "wrong sensor")
    history.now += timedelta(days=40)
    run(history)
    assert there(history) == {gone, stays}, "a kept training took it"
    history.training("after")
    run(history, dry_run=True)
    assert there(history) == {gone, stays}
    freed = {f.kind: f.objects for f in run(history).freed}
    assert freed["deliveries that nothing needs"] == 2
    assert there(history) == {stays}
    assert history.records(took) == []


def test_a_delivery_stays_for_a_while_after_its_withdrawal(folder: History) -> None:
    prefix = register(folder, "gone")
    folder.operations.withdraw("gone", "wrong sensor")
    folder.now += timedelta(days=29)
    run(folder)
    assert there(folder) == {prefix}
    folder.now += timedelta(days=2)
    run(folder)
    assert there(folder) == set()


@pytest.mark.parametrize("age", [29, 31])
def test_copies_that_were_never_registered_go_when_all_of_them_is_old(folder: History, age: int) -> None:
    registered, loser, stray = register(folder, "a"), deliver(folder, "a", OTHER), deliver(folder, "b")
    set_age(folder, folder.now - timedelta(days=100))
    set_age(folder, folder.now - timedelta(days=age), f"{stray}x.tif", f"{loser}folder/y.tif")
    run(folder)
    assert there(folder) == ({registered, loser, stray} if age == 29 else {registered})


def test_a_copy_that_is_registered_just_now_stays(folder: History, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = deliver(folder, "late")
    objects = folder.places.objects
    assert isinstance(objects, FolderObjects)
    folders = objects.folders

    def registering(above: str = "") -> object:
        found = folders(above)
        if above != DELIVERIES:
            register(folder, "late")
        return found

    monkeypatch.setattr(objects, "folders", registering)
    run(folder, POLICY)
    assert there(folder) == {prefix}


def set_age(history: History, written: datetime, *names: str) -> None:
    objects = history.places.objects
    assert isinstance(objects, FolderObjects)
    for key in names or [info.key for info in objects.list(DELIVERIES)]:
        os.utime(objects.root / key, (written.timestamp(), written.timestamp()))
