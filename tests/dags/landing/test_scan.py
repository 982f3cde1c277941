"""Pending acquisitions on a folder and on a real S3 endpoint, beside the real ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.acquisitions.registration import Found, Registrar
from components.acquisitions.rejections import Rejection
from components.contract.errors import BadDataError, SourceUnavailableError
from components.contract.keys import OPERATIONS, snapshot_key
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations import snapshots
from components.lib.operations.events import Registered
from components.lib.operations.operations import Operations
from stormsight_dags.landing.scan import LandingScan, entries_since, registrations
from stormsight_dags.landing.store import ListedObject, ObjectReader, open_reader
from tests.object_stores import admin

SHA = "0" * 64


def register(objects: ObjectStore, name: str) -> None:
    Operations(objects).register(
        Registered(acquisition=name, catalogue_sha256=SHA, marker_sha256=SHA),
    )


def refuse(landing: ObjectStore, objects: ObjectStore, name: str) -> None:
    error = BadDataError("no", next_step="mend it")
    Rejection.of(name, landing.list(f"{name}/"), error).write(objects)


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
    landing.put("b/tile.tif", b"y")
    assert scan.pending() == ["b"], "an upload after the refusal deserves another look"
    register(objects, "b")
    assert scan.pending() == []


def test_a_correction_uploaded_during_the_check_is_seen(store_uri: str) -> None:
    """The rejection is written after the correction, by any clock; it is of the listing before."""
    landing, objects = open_objects(f"{store_uri}/landing"), open_objects(f"{store_uri}/objects")
    landing.put("b/COMPLETE.json", b"{wrong")
    checked = landing.list("b/")
    landing.put("b/COMPLETE.json", b"{right")
    Rejection.of("b", checked, BadDataError("no", next_step="mend it")).write(objects)
    scan = LandingScan(open_reader(f"{store_uri}/landing"), open_reader(f"{store_uri}/objects"))
    assert scan.pending() == ["b"]
    refuse(landing, objects, "b")
    assert scan.pending() == []


def test_a_name_that_is_no_key_is_pending_until_it_is_rejected(bucket: str, s3_environment: str) -> None:
    for name in ("", "back\\slash"):
        admin(s3_environment).put_object(Bucket=bucket, Key=f"landing/{name}/x", Body=b"x")
    landing, objects = open_reader(f"s3://{bucket}/landing"), open_objects(f"s3://{bucket}/objects")
    scan = LandingScan(landing, open_reader(f"s3://{bucket}/objects"))
    assert scan.pending() == ["", "back\\slash"]
    found = Registrar(open_objects(f"s3://{bucket}/landing"), objects).look()
    assert len(found.rejected) == 2
    assert scan.pending() == []


def test_what_the_command_does_not_see_the_scan_does_not_see(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    for name in (".unfinished", "elsewhere"):
        (landing / name).mkdir(parents=True)
        (landing / name / "COMPLETE.json").write_text("{}")
    (landing / "elsewhere").rename(tmp_path / "elsewhere")
    (landing / "link").symlink_to(tmp_path / "elsewhere")
    objects = tmp_path / "objects"
    assert Registrar(open_objects(str(landing)), open_objects(str(objects))).look() == Found()
    assert LandingScan(open_reader(str(landing)), open_reader(str(objects))).pending() == []


def test_one_folder_that_cannot_be_listed_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = open_objects(str(tmp_path / "landing"))
    for name in ("a", "b"):
        landing.put(f"{name}/COMPLETE.json", b"{}")
    reader = open_reader(str(tmp_path / "landing"))
    listing = type(reader).listing

    def denied(self: ObjectReader, prefix: str, after: str = "") -> list[ListedObject]:
        if prefix == "a/":
            raise SourceUnavailableError("access denied", next_step="ask")
        return listing(self, prefix, after)

    monkeypatch.setattr(type(reader), "listing", denied)
    objects = open_objects(str(tmp_path / "objects"))
    scan = LandingScan(reader, open_reader(str(tmp_path / "objects")))
    assert scan.pending() == ["b"]
    register(objects, "b")
    with pytest.raises(SourceUnavailableError, match="access denied"):
        scan.pending()


def test_a_store_that_fails_is_told_without_credentials(
    bucket: str, s3_environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceUnavailableError, match=r"no-such-bucket/x does not answer: .*NoSuchBucket"):
        open_reader("s3://no-such-bucket/x").folders()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SourceUnavailableError, match="ProfileNotFound"):
        open_reader(f"s3://{bucket}").folders()
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceUnavailableError, match="NotADirectoryError"):
        open_reader(str(tmp_path / "file")).folders()


def test_ledger_is_read_on_from_an_entry(store_uri: str) -> None:
    objects, store = open_objects(store_uri), open_reader(store_uri)
    assert registrations(entries_since(store, 0)) == {}
    register(objects, "a")
    Operations(objects).withdraw("a", "a trial")
    register(objects, "b")
    assert registrations(entries_since(store, 0)) == {1: "a", 3: "b"}
    assert registrations(entries_since(store, 1)) == {3: "b"}
    assert entries_since(store, 3) == {}


class Asked:
    """Reader that notes the keys that are read, and the number of objects that listings show."""

    def __init__(self, inner: ObjectReader) -> None:
        self._inner = inner
        self.read: list[str] = []
        self.listed = 0

    def folders(self) -> list[str]:
        return self._inner.folders()

    def listing(self, prefix: str, after: str = "") -> list[ListedObject]:
        found = self._inner.listing(prefix, after)
        self.listed += len(found)
        return found

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return self._inner.get(key)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_look_reads_the_snapshot_and_then_what_is_new(
    store_uri: str, monkeypatch: pytest.MonkeyPatch, damaged: bool
) -> None:
    """Each look listed the whole ledger, and the first one read it entry by entry."""
    monkeypatch.setattr(snapshots, "EVERY", 5)
    landing, objects = open_objects(f"{store_uri}/landing"), open_objects(f"{store_uri}/objects")
    operations = Operations(objects)
    names = [f"n{number}" for number in range(12)]
    for name in names:
        landing.put(f"{name}/COMPLETE.json", b"{}")
        operations.register(Registered(acquisition=name, catalogue_sha256=SHA, marker_sha256=SHA))
    snapshot = snapshot_key(OPERATIONS)
    if damaged:
        objects.put(snapshot, objects.get(snapshot).replace(b"n3", b"n9"))
    asked = Asked(open_reader(f"{store_uri}/objects"))
    scan = LandingScan(open_reader(f"{store_uri}/landing"), asked)
    assert scan.pending() == []
    assert asked.read[0] == snapshot
    assert len(asked.read) == 1 + (12 if damaged else 2)
    asked.read, asked.listed = [], 0
    landing.put("late/COMPLETE.json", b"{}")
    assert scan.pending() == ["late"]
    register(objects, "late")
    assert scan.pending() == []
    assert (len(asked.read), asked.listed) == (1, 1)
