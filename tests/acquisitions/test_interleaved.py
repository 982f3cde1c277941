"""Registrars and producers that are at work at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.acquisitions import delivery, registration, verification
from components.acquisitions.delivery import RESUMED
from components.acquisitions.overview import overview
from components.acquisitions.registration import Found, Registrar
from components.contract.hashing import sha256_bytes
from components.contract.keys import delivery_prefix
from components.lib.ledger.chain import utc_now
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from tests.acquisitions.releases import PREFIX, land, marker, release, strip_of_day


def verified_then(monkeypatch: pytest.MonkeyPatch, act: Callable[[str], None]) -> None:
    """Do something each time when the files of an acquisition are verified, before it goes on."""
    verify = verification.verify

    def verify_then_act(landing: ObjectStore, *arguments: object) -> None:
        verify(landing, *arguments)  # type: ignore[arg-type]
        act(arguments[0].id)  # type: ignore[attr-defined]

    monkeypatch.setattr(registration, "verify", verify_then_act)


def test_of_two_registrars_that_interleave_one_gets_the_ground(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(landing, "a-first")
    land(landing, "b-second")  # the same tiles
    others: list[Found] = []

    def act(name: str) -> None:
        if name == "a-first" and not others:
            others.append(Found())
            monkeypatch.setattr(type(landing), "folders", lambda self: ["b-second"])
            others[0] = Registrar(landing, objects).look()

    verified_then(monkeypatch, act)
    found = Registrar(landing, objects).look()
    assert others[0].registered == ["b-second"]
    assert found.registered == []
    assert "2 tiles are in b-second too" in found.rejected[0].message
    assert list(Operations(objects).state().registered) == ["b-second"]
    monkeypatch.undo()
    assert Registrar(landing, objects).look() == Found()


def test_of_two_processes_one_gets_the_ground(tmp_path: Path, repository: Path) -> None:
    places = [FolderObjects(tmp_path / f"landing-{index}") for index in range(2)]
    for index, place in enumerate(places):
        land(place, f"new-{index}")
    code = (
        "import sys; from components.acquisitions.__main__ import main; "
        "sys.stdin.readline(); main(['register'])"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={
                "PYTHONPATH": str(repository),
                "STORMSIGHT_LANDING": str(place.root),
                "STORMSIGHT_OBJECTS": str(tmp_path / "objects"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for place in places
    ]
    told = []
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in running:
        output, errors = process.communicate()
        told.append(output + errors)
    assert sum("registered new-" in text for text in told) == 1, told
    assert sum("tiles are in new-" in text for text in told) == 1, told
    assert len(Operations(FolderObjects(tmp_path / "objects")).verify()) == 1


def test_a_correction_uploaded_during_the_check_is_taken(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(landing, "new-1", title="Wrong")

    def act(name: str) -> None:
        land(landing, name, title="Right")

    with monkeypatch.context() as patch:
        verified_then(patch, act)
        found = Registrar(landing, objects).look()
    assert (found.registered, found.rejected) == ([], [])
    assert "changed while it was" in found.unavailable["new-1"].message
    assert Registrar(landing, objects).look().registered == ["new-1"]
    entry = json.loads(objects.get("catalogue/new-1.json"))
    assert entry["title"] == "Right"


def test_a_marker_that_is_changed_later_is_told_once(landing: ObjectStore, objects: ObjectStore) -> None:
    """Whatever the clocks say: the registered marker is known by its listing."""
    files = land(landing, "new-1")
    assert Registrar(landing, objects).look().registered == ["new-1"]
    assert Registrar(landing, objects).look() == Found()
    landing.put("new-1/COMPLETE.json", json.dumps(marker("new-1", files, title="Another")).encode())
    if isinstance(landing, FolderObjects):
        import os  # noqa: PLC0415

        os.utime(landing.root / "new-1" / "COMPLETE.json", (1, 1))  # copied with an old time
    (rejection,) = Registrar(landing, objects).look().rejected
    assert "registered with another content" in rejection.message
    assert Registrar(landing, objects).look() == Found()
    assert [row.state for row in overview(landing, objects)] == ["registered"]


def test_a_registered_marker_that_is_uploaded_again_is_no_news(
    landing: ObjectStore, objects: ObjectStore
) -> None:
    files = land(landing, "new-1")
    Registrar(landing, objects).look()
    land(landing, "new-1", files)
    assert Registrar(landing, objects).look() == Found()


def test_a_copy_that_broke_off_goes_on(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = land(landing, "new-1")
    copied: list[str] = []
    copy = type(objects).copy

    def counted(self: ObjectStore, source: ObjectStore, listed: object, key: str, *, sha256: str) -> None:
        if len(copied) == limit:
            raise KeyboardInterrupt
        copy(self, source, listed, key, sha256=sha256)  # type: ignore[arg-type]
        copied.append(key)

    monkeypatch.setattr(type(objects), "readers", property(lambda self: 1))
    monkeypatch.setattr(type(objects), "copy", counted)
    limit = 3
    with pytest.raises(KeyboardInterrupt):
        Registrar(landing, objects).look()
    assert len(objects.list("deliveries/")) == 3
    limit = -1
    assert Registrar(landing, objects).look().registered == ["new-1"]
    assert len(copied) == len(set(copied)) == len(files)
    contents = {info.key.split("/", 3)[3]: objects.get(info.key) for info in objects.list("deliveries/")}
    assert contents == files


def test_what_an_attempt_of_long_ago_left_is_copied_anew(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Housekeeping may be removing old copies that nobody registered; new files tell it not to."""
    files = land(landing, "new-1")
    prefix = delivery_prefix("new-1", sha256_bytes(landing.get("new-1/COMPLETE.json")))
    for name, content in files.items():
        objects.put(prefix + name, bytes(len(content)))  # others of the same size, to tell them apart
    later = utc_now() + 2 * RESUMED
    monkeypatch.setattr(delivery, "utc_now", lambda: later)
    assert Registrar(landing, objects).look().registered == ["new-1"]
    assert {info.key.removeprefix(prefix): objects.get(info.key) for info in objects.list(prefix)} == files


@pytest.mark.parametrize("times", [1, 99])
def test_files_that_housekeeping_removes_meanwhile_are_copied_again(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    files = land(landing, "new-1")
    waits: list[object] = []

    def removing(store: ObjectStore, names: set[str]) -> None:
        waits.append(names)
        if len(waits) <= times:
            for prefix in names:
                store.delete(store.list(prefix)[0].key)

    monkeypatch.setattr(delivery, "wait_for_removals", removing)
    found = Registrar(landing, objects).look()
    if times > 1:
        assert found.registered == []
        assert "gone again" in found.unavailable["new-1"].message
        return
    assert found.registered == ["new-1"]
    assert len(waits) == 2
    contents = {info.key.split("/", 3)[3]: objects.get(info.key) for info in objects.list("deliveries/")}
    assert contents == files


def test_a_file_that_changes_between_check_and_copy_is_not_taken(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = land(landing, "new-1")
    orientations = f"new-1/{PREFIX}SummaryData/SAR_orientations.txt"
    changed: list[str] = []

    def act(name: str) -> None:
        content = landing.get(orientations)
        landing.put(orientations, bytes(len(content)))
        changed.append(name)

    with monkeypatch.context() as patch:
        verified_then(patch, act)
        found = Registrar(landing, objects).look()
    assert changed == ["new-1"]
    assert found.registered == []
    assert "new-1" in found.unavailable
    landing.put(orientations, files[orientations.removeprefix("new-1/")])
    assert Registrar(landing, objects).look().registered == ["new-1"]
    entry = json.loads(objects.get("catalogue/new-1.json"))
    prefix = entry["source"].removeprefix(f"{objects.uri}/")
    assert {file["key"]: objects.get(prefix + file["key"]) for file in entry["objects"]} == files


def test_another_day_is_new_ground(landing: ObjectStore, objects: ObjectStore) -> None:
    for day in (5, 6, 7):
        land(landing, f"day-{day}", release(strip=strip_of_day(day)))
    assert len(Registrar(landing, objects).look().registered) == 3
