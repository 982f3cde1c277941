"""Folders of the landing place that anybody may have named: one rejection each, nobody else is stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.acquisitions.overview import json_of, overview, text_of
from components.acquisitions.registration import Found, Registrar
from components.contract.errors import ResourceError, SourceUnavailableError
from components.lib.objects.folder import FolderObjects
from tests.acquisitions.releases import land, release, strip_of_day

LISTED = ["", ".", "..", "x" * 901]
"""Names that only a bucket can have."""

NAMES = ["two\nlines", "tab\there", "back\\slash", "\x1b[31mred", "\udcff\udcfe", "\x7f"]


@pytest.fixture
def place(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "landing")


@pytest.fixture
def records(tmp_path: Path) -> FolderObjects:
    return FolderObjects(tmp_path / "objects")


def make(place: FolderObjects, name: str) -> None:
    folder = place.root / name
    folder.mkdir(parents=True)
    (folder / "COMPLETE.json").write_text("{}")


@pytest.mark.parametrize("name", NAMES)
def test_an_impossible_name_is_one_rejection_and_stops_nobody(
    name: str, place: FolderObjects, records: FolderObjects
) -> None:
    land(place, "a-good-one")
    make(place, name)
    found = Registrar(place, records).look()
    assert found.registered == ["a-good-one"]
    assert [rejection.id for rejection in found.rejected] == [name]
    assert "the name of its folder" in found.rejected[0].message
    assert "\n" not in found.rejected[0].message
    again = Registrar(place, records).look()
    assert (again.registered, again.rejected) == ([], [])
    rows = {row.id: row.state for row in overview(place, records)}
    assert rows == {"a-good-one": "registered", name: "rejected"}
    assert len(text_of(overview(place, records)).encode().splitlines()) == 3
    assert len(json.loads(json_of(overview(place, records)))) == 2


@pytest.mark.parametrize("name", NAMES)
def test_the_table_shows_it_before_anybody_looked(
    name: str, place: FolderObjects, records: FolderObjects
) -> None:
    make(place, name)
    assert {row.state for row in overview(place, records)} <= {"arriving", "landed"}


def test_the_table_is_as_wide_as_its_names(place: FolderObjects, records: FolderObjects) -> None:
    make(place, "simulated-airborne-20261129t005640")
    head, row = text_of(overview(place, records)).splitlines()
    assert head.index("state") == row.index("landed")


@pytest.mark.parametrize("name", LISTED)
def test_a_name_that_only_a_bucket_can_have_is_one_rejection_too(
    name: str, place: FolderObjects, records: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(place, "z-good-one")
    monkeypatch.setattr(FolderObjects, "folders", lambda self: [name, "z-good-one"])
    found = Registrar(place, records).look()
    assert (found.registered, [one.id for one in found.rejected]) == (["z-good-one"], [name])
    assert Registrar(place, records).look() == Found()


def test_a_folder_that_cannot_be_read_stops_nobody(
    place: FolderObjects, records: FolderObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(place, "c-registered", release(strip=strip_of_day(7)))
    assert Registrar(place, records).look().registered == ["c-registered"]
    place.put("c-registered/COMPLETE.json", b"{}")
    for name, day in (("a-locked", 5), ("b-good-one", 6)):
        land(place, name, release(strip=strip_of_day(day)))
    chunks = FolderObjects.chunks

    def locked(self: FolderObjects, key: str) -> Iterator[bytes]:
        if key.startswith("a-locked/"):
            raise ResourceError("permission denied", next_step="check permissions")
        if key.startswith("c-registered/"):
            raise SourceUnavailableError("the bucket hiccups", next_step="wait")
        return chunks(self, key)

    monkeypatch.setattr(FolderObjects, "chunks", locked)
    found = Registrar(place, records).look()
    assert (found.registered, found.rejected) == (["b-good-one"], [])
    assert {name: type(error) for name, error in found.unavailable.items()} == {
        "a-locked": ResourceError,
        "c-registered": SourceUnavailableError,
    }


def test_all_of_them_at_once(place: FolderObjects, records: FolderObjects) -> None:
    for name in NAMES:
        make(place, name)
    land(place, "b-good-one")
    found = Registrar(place, records).look()
    assert found.registered == ["b-good-one"]
    assert sorted(rejection.id for rejection in found.rejected) == sorted(NAMES)
