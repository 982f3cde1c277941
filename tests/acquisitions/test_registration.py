"""From the landing place to the ledger, on a folder and on a real S3 endpoint."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator

import pytest

from components.acquisitions import catalogue, registration
from components.acquisitions.overview import overview, text_of
from components.acquisitions.registration import Found, Registrar
from components.contract.errors import SourceUnavailableError
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from tests.acquisitions.releases import PREFIX, STRIP, land, marker, release, strip_of_day

SAR = f"{PREFIX}SAR-Intensity/SN6_Train_AOI_11_Rotterdam_SAR-Intensity_{STRIP}_tile_8000.tif"


def look(landing: ObjectStore, objects: ObjectStore, *, again: bool = False) -> Found:
    return Registrar(landing, objects, again=again).look()


def states(landing: ObjectStore, objects: ObjectStore) -> dict[str, str]:
    return {row.id: row.state for row in overview(landing, objects)}


def test_what_is_complete_is_registered_once(landing: ObjectStore, objects: ObjectStore) -> None:
    files = land(landing, "new-1")
    landing.put("half-way/train/x.tif", b"1")
    found = look(landing, objects)
    assert (found.registered, found.rejected, found.waiting) == (["new-1"], [], ["half-way"])
    event = Operations(objects).state().registered["new-1"]
    content = Acquisition("new-1", event.catalogue_sha256).entry(objects)
    entry = json.loads(content)
    assert entry["source"] == f"{objects.uri}/deliveries/new-1/{event.marker_sha256[:16]}/"
    assert entry["closed"] is True
    assert {one["key"]: one["sha256"] for one in entry["objects"]} == {
        path: hashlib.sha256(body).hexdigest() for path, body in files.items()
    }
    assert event.marker_sha256 == hashlib.sha256(landing.get("new-1/COMPLETE.json")).hexdigest()
    assert look(landing, objects).registered == []
    assert states(landing, objects) == {"new-1": "registered", "half-way": "arriving"}


def spoil(landing: ObjectStore) -> None:
    content = landing.get(f"bad/{SAR}")
    landing.put(f"bad/{SAR}", content[:-1] + bytes([content[-1] ^ 1]))


def shorten(landing: ObjectStore) -> None:
    landing.put(f"bad/{SAR}", landing.get(f"bad/{SAR}")[:-1])


def remove(landing: ObjectStore) -> None:
    landing.delete(f"bad/{SAR}")


def slip_in(landing: ObjectStore) -> None:
    landing.put(f"bad/{SAR.replace('8000', '9000')}", b"nobody vouches for this")


def garble(landing: ObjectStore) -> None:
    landing.put("bad/COMPLETE.json", b"{")


def another_sensor(landing: ObjectStore) -> None:
    landing.put("bad/COMPLETE.json", json.dumps(marker("bad", release(), sensor="sentinel-1")).encode())


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (spoil, "1 files are without the stated SHA-256: .*tile_8000"),
        (shorten, "1 files are of another size than stated: .*tile_8000"),
        (remove, "1 files are missing: .*tile_8000"),
        (slip_in, "1 files are there, but not in the marker: .*tile_9000"),
        (garble, "marker is wrong: COMPLETE.json is not JSON"),
        (another_sensor, "unknown sensor 'sentinel-1'"),
    ],
)
def test_a_bad_one_is_set_aside_and_never_blocks_the_good_ones(
    landing: ObjectStore, objects: ObjectStore, harm: Callable[[ObjectStore], None], text: str
) -> None:
    land(landing, "bad")
    harm(landing)
    for name, day in (("a-good", 5), ("z-good", 6)):
        land(landing, name, release(strip=strip_of_day(day)))
    found = look(landing, objects)
    assert found.registered == ["a-good", "z-good"]
    (rejection,) = found.rejected
    assert re.search(text, rejection.message), rejection.message
    assert [info.key for info in objects.list("rejected/")] == [rejection.object_key]
    assert look(landing, objects) == Found()
    assert re.search(rf"^bad +rejected .*{text}", text_of(overview(landing, objects)), re.MULTILINE)
    assert states(landing, objects)["bad"] == "rejected"
    # Put right, it is looked at again.
    for info in landing.list("bad/"):
        landing.delete(info.key)
    land(landing, "bad")
    assert look(landing, objects).registered == ["bad"]
    assert states(landing, objects)["bad"] == "registered"


def test_a_marker_without_end_is_not_read_whole(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(landing, "bad")
    monkeypatch.setattr(registration, "MOST_MARKER_BYTES", 100)
    assert "its marker has more than" in look(landing, objects).rejected[0].message
    assert look(landing, objects) == Found()


def test_ids_are_taken_once(landing: ObjectStore, objects: ObjectStore) -> None:
    land(landing, "rehearsal-airborne", sensor="simulated-airborne", simulated=True)
    (rejection,) = look(landing, objects).rejected
    assert "is the name of an entry in components/download/catalogue" in rejection.message
    assert (catalogue.COMMITTED / "rehearsal-airborne.yaml").is_file()
    land(landing, "new-1")
    look(landing, objects)
    before = Operations(objects).state()
    land(landing, "new-1", release(seed=1))
    (rejection,) = look(landing, objects).rejected
    assert "new-1: the id is registered with another content" in rejection.message
    assert look(landing, objects) == Found()
    assert Operations(objects).state() == before


def test_the_same_tiles_under_another_id_are_refused(landing: ObjectStore, objects: ObjectStore) -> None:
    land(landing, "new-1")
    look(landing, objects)
    land(landing, "new-2")
    (rejection,) = look(landing, objects).rejected
    assert "2 tiles are in new-1 too" in rejection.message
    Operations(objects).withdraw("new-1", "replaced")
    assert look(landing, objects, again=True).registered == ["new-2"]
    assert states(landing, objects) == {"new-1": "withdrawn", "new-2": "registered"}


def test_a_crash_between_entry_and_ledger_is_made_good(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(landing, "new-1")

    def killed(self: Operations, event: object, check: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Operations, "register", killed)
        with pytest.raises(KeyboardInterrupt):
            look(landing, objects)
    assert objects.exists("catalogue/new-1.json")
    assert look(landing, objects).registered == ["new-1"]


def test_of_concurrent_looks_one_registers(landing: ObjectStore, objects: ObjectStore) -> None:
    land(landing, "new-1")
    found: list[str] = []
    barrier = threading.Barrier(3)

    def run() -> None:
        barrier.wait()
        found.extend(look(landing, objects).registered)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["new-1"]
    assert len(Operations(objects).verify()) == 1


def test_one_that_cannot_be_read_by_now_is_left_for_the_next_look(
    landing: ObjectStore, objects: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(landing, "a-shaky")
    land(landing, "good", release(strip=strip_of_day(7)))
    chunks = type(landing).chunks

    def shaky(self: ObjectStore, key: str) -> Iterator[bytes]:
        if key == f"a-shaky/{SAR}":
            raise SourceUnavailableError("the bucket hiccups", next_step="wait")
        return chunks(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(type(landing), "chunks", shaky)
        found = look(landing, objects)
    assert found.registered == ["good"]
    assert found.rejected == []
    assert "acquisition a-shaky: the bucket hiccups" in found.unavailable["a-shaky"].message
    assert look(landing, objects).registered == ["a-shaky"]


def test_folders_of_any_name_do_no_harm(landing: ObjectStore, objects: ObjectStore) -> None:
    for name in ("Ünwise name", "UPPER", "a.b"):
        landing.put(f"{name}/COMPLETE.json", b"{}")
    found = look(landing, objects)
    assert len(found.rejected) == 3
    assert all(info.key.startswith("rejected/") for info in objects.list("rejected/"))
    assert look(landing, objects) == Found()
