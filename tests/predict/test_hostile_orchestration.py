"""The commands of the DAG ``map`` by hand: wrong, swapped and cut records, out of order, twice at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import (
    BadDataError,
    MissingInputError,
    SourceUnavailableError,
    StormsightError,
)
from components.contract.hashing import seal
from components.contract.keys import MAP_WORK, map_inventory_key, map_plan_key
from components.lib.catalogue.maps import Catalogue
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.predict.orchestrated import Command
from components.predict.planning import read_map_plan
from tests.lib.operations.stepping import Memory
from tests.predict.map_world import FakeMapper, KilledError, promote, register
from tests.s3_proxy import Lossy

FOLDER = pytest.mark.parametrize("store_uri", ["folder"], indirect=True)


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def mapper(store: ObjectStore) -> FakeMapper:
    """Two acquisitions of 3 and 2 blocks, and a champion."""
    register(store, "one", b"3")
    register(store, "two", b"2")
    promote(store, "1")
    return FakeMapper(store)


def command(mapper: FakeMapper, run: str = "r1") -> Command:
    return Command(mapper.objects, mapper, run)


def works(mapper: FakeMapper) -> dict[str, Callable[[], int]]:
    return {
        "plan": lambda: command(mapper).plan(1),
        "group": lambda: command(mapper).group(0),
        "merge": lambda: command(mapper).merge(),
    }


@FOLDER
def test_groups_and_merges_before_a_plan_name_what_is_missing(mapper: FakeMapper) -> None:
    for name in ("group", "merge"):
        with pytest.raises(MissingInputError, match="run r1 has no plan of maps") as raised:
            works(mapper)[name]()
        assert "components.predict plan" in raised.value.next_step


@FOLDER
def test_a_plan_of_another_run_is_refused(store: ObjectStore, mapper: FakeMapper) -> None:
    command(mapper).plan(2)
    store.put(map_plan_key("r2"), store.get(map_plan_key("r1")))
    with pytest.raises(BadDataError, match="is the plan of run r1"):
        command(mapper, "r2").plan(2)


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _changed(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def apply(content: bytes) -> bytes:
        record = json.loads(content)
        del record["sha256"]
        change(record)
        return seal(record)

    return apply


def _shares(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [share for group in record["groups"] for share in group]


@FOLDER
@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        lambda content: b"",
        lambda content: b"[" * 100_000,
        lambda content: content.replace(b'"r1"', b'"r9"'),
        _changed(lambda record: _shares(record)[0].update(map="one-0123456789abcdef")),
        _changed(lambda record: _shares(record)[-1].update(end=99)),
        _changed(lambda record: record["groups"].pop()),
        _changed(lambda record: record["groups"].append([])),
        _changed(lambda record: record["maps"].append(record["maps"][0])),
        _changed(lambda record: record["maps"][0]["blocks"].update(side=0)),
        _changed(lambda record: record["maps"][0]["blocks"].update(shape=[10**30, 10**30])),
        _changed(lambda record: record["maps"][0].update(id="../../etc/passwd")),
        _changed(lambda record: record.update(model=None)),
        _changed(lambda record: record.update(more=1)),
    ],
)
def test_a_damaged_plan_is_named_and_nothing_is_mapped(
    damage: Callable[[bytes], bytes], store: ObjectStore, mapper: FakeMapper
) -> None:
    command(mapper).plan(2)
    key = map_plan_key("r1")
    store.put(key, damage(store.get(key)))
    for work in works(mapper).values():
        with pytest.raises(BadDataError, match=r"maps/plans/r1\.json"):
            work()
    assert mapper.mapped == []
    assert not Catalogue(store).maps()


@FOLDER
def test_an_entry_that_is_no_mapping_is_left_out(store: ObjectStore, mapper: FakeMapper) -> None:
    register(store, "list", b"1", entry=b"[1]")
    assert command(mapper).plan(1) == 0
    assert "is no catalogue entry" in read_map_plan(store, "r1").left_out["list"]


@FOLDER
def test_inventories_that_were_swapped_are_refused(store: ObjectStore, mapper: FakeMapper) -> None:
    command(mapper).plan(1)
    one, two = (map_inventory_key(found.id) for found in read_map_plan(store, "r1").maps)
    first, second = store.get(one), store.get(two)
    store.put(one, second)
    store.put(two, first)
    with pytest.raises(BadDataError, match="another grid than the plan"):
        command(mapper).group(0)
    assert mapper.mapped == []


@FOLDER
def test_a_group_whose_map_another_run_publishes_meanwhile_succeeds(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    for run in ("r1", "r2"):
        command(mapper, run).plan(1)

    def other(acquisition: str, number: int) -> None:
        mapper.before_block = None
        assert command(mapper, "r2").group(0) == 0
        assert command(mapper, "r2").merge() == 0
        raise MissingInputError("a block is gone", next_step="none")

    mapper.before_block = other
    assert command(mapper).group(0) == 0
    assert command(mapper).merge() == 0
    assert len(Catalogue(store).maps()) == 2


@FOLDER
def test_a_plan_whose_map_another_run_publishes_meanwhile_has_nothing_to_do(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    command(mapper).plan(1, ["one"])
    get = type(store).get

    def racing(self: ObjectStore, key: str) -> bytes:
        if key.endswith("inventory.json"):
            patch.undo()
            assert command(mapper).group(0) == 0
            assert command(mapper).merge() == 0
        return get(self, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(store), "get", racing)
        assert command(mapper, "r2").plan(1, ["one"]) == 99
    assert not store.exists(map_plan_key("r2"))


@FOLDER
def test_a_merge_whose_blocks_another_one_removes_succeeds(store: ObjectStore, mapper: FakeMapper) -> None:
    command(mapper).plan(1, ["one"])
    command(mapper, "r2").plan(1, ["one"])
    command(mapper).group(0)
    get, done = type(store).get, list[str]()

    def racing(self: ObjectStore, key: str) -> bytes:
        if key.startswith(MAP_WORK) and key.endswith("/1") and not done:
            done.append(key)
            assert command(mapper, "r2").merge() == 0
        return get(self, key)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(store), "get", racing)
        assert command(mapper).merge() == 0
    assert done
    assert store.list(MAP_WORK) == []
    assert len(Catalogue(store).maps()) == 1


class Failing(Memory):
    """Store whose request of a given number fails, before it is carried out or after it."""

    def __init__(self) -> None:
        super().__init__(self._count)
        self.left = 0
        self.error: BaseException = AssertionError()
        self.after = False

    def upload(self, key: str, path: Path) -> None:
        self.put(key, path.read_bytes())

    def _count(self) -> Callable[[], None]:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise self.error
        return self._end

    def _end(self) -> None:
        if self.left == 0 and self.after:
            raise self.error


def published(objects: ObjectStore) -> dict[str, bytes]:
    """Contents of everything below ``maps/``, but for the plans of runs and the items' names of files."""
    return {info.key: objects.get(info.key) for info in objects.list("maps/") if "/plans/" not in info.key}


@pytest.mark.parametrize(
    ("error", "after", "offset"),
    [
        (SourceUnavailableError("503", next_step="again"), False, 0),
        (SourceUnavailableError("503", next_step="again"), True, 1),
        (KilledError(), False, 2),
        (KilledError(), True, 3),
    ],
    ids=["refused", "answer lost", "killed before", "killed after"],
)
def test_whichever_request_fails_the_commands_can_be_repeated(
    error: BaseException, after: bool, offset: int
) -> None:
    def world() -> Failing:
        objects = Failing()
        register(objects, "one", b"2")
        register(objects, "two", b"1")
        promote(objects, "1")
        return objects

    whole = world()
    whole.left = 0
    assert [work() for work in works(FakeMapper(whole)).values()] == [0, 0, 0]
    requests = -whole.left
    assert requests > 60
    for number in range(1 + offset, requests + 1, 4):  # every request, over the four cases
        objects = world()
        objects.left, objects.error, objects.after = number, error, after
        with suppress(type(error)):
            for work in works(FakeMapper(objects)).values():
                work()
        assert objects.left <= 0
        assert [work() for work in works(FakeMapper(objects)).values()] == [0, 0, 0], number
        assert published(objects).keys() == published(whole).keys(), number
        assert sorted(entry.acquisition for entry in Catalogue(objects).maps()) == ["one", "two"]


@pytest.fixture
def service(bucket: str, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Lossy, ObjectStore]:
    """A store on S3 behind a proxy, and that store."""
    proxy = Lossy(s3_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    return proxy, open_objects(f"s3://{bucket}/prefix")


@pytest.mark.parametrize(("work", "status"), [("plan", 403), ("merge", 500)])
def test_a_service_that_refuses_is_named_and_the_command_can_be_repeated(
    work: str, status: int, service: tuple[Lossy, ObjectStore]
) -> None:
    proxy, objects = service
    register(objects, "one", b"2")
    promote(objects, "1")
    mapper = FakeMapper(objects)
    for name, before in works(mapper).items():
        if name == work:
            break
        assert before() == 0
    proxy.status = status
    with pytest.raises(SourceUnavailableError) as raised:
        works(mapper)[work]()
    assert str(status) in raised.value.message
    assert isinstance(raised.value, StormsightError)
    proxy.status = None
    for name, again in works(mapper).items():
        assert again() == 0, name
    assert len(Catalogue(objects).maps()) == 1
    assert len(mapper.mapped) == 2
