"""The commands of the DAG ``map`` against a folder and S3: planned, killed, resumed, raced and merged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import (
    BadDataError,
    MissingInputError,
    ParameterError,
    SourceUnavailableError,
)
from components.contract.hashing import seal
from components.contract.keys import MAP_ITEMS, MAP_WORK, map_inventory_key, model_item_key
from components.lib.catalogue.documents import encode, sealed
from components.lib.catalogue.maps import Catalogue
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.lib.registry.served import SAR_MODEL
from components.predict.orchestrated import Command
from components.predict.planning import read_map_plan
from tests.guarded_objects import GuardedObjects
from tests.predict.map_world import FakeMapper, KilledError, promote, register

FOLDER = pytest.mark.parametrize("store_uri", ["folder"], indirect=True)
"""Mark of tests for which one kind of store is enough."""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Reports of the commands, in their order."""
    reports: list[dict[str, Any]] = []
    monkeypatch.setattr("components.predict.orchestrated.report_result", reports.append)
    monkeypatch.setattr(
        "components.predict.outcomes.report_failure",
        lambda code, words, step: reports.append({"code": code, "words": words, "step": step}),
    )
    return reports


@pytest.fixture
def mapper(store: ObjectStore) -> FakeMapper:
    """Two acquisitions of 5 and 3 blocks, and a champion."""
    register(store, "one", b"5")
    register(store, "two", b"3")
    promote(store, "1")
    return FakeMapper(store)


def command(mapper: FakeMapper, run: str = "r1") -> Command:
    """Commands with the rights of the account ``map``, and no more."""
    return Command(GuardedObjects(mapper.objects, "map"), mapper, run)


def whole(mapper: FakeMapper, run: str = "r1", groups: int = 4) -> int:
    """Plan, every group and the merge."""
    if code := command(mapper, run).plan(groups):
        return code
    codes = [command(mapper, run).group(number) for number in range(groups)]
    assert set(codes) <= {0, 99}
    return command(mapper, run).merge()


def published(store: ObjectStore) -> dict[str, bytes]:
    """Outputs by acquisition and file, whatever the hash in the map's id."""
    found = {}
    for info in store.list(MAP_ITEMS):
        name, *_, file = info.key.removeprefix(MAP_ITEMS).split("/")
        found[f"{name.rpartition('-')[0]}/{file}"] = store.get(info.key)
    return found


def catalogued(store: ObjectStore) -> list[str]:
    """Acquisitions whose maps the catalogue's documents link to."""
    return sorted(entry.acquisition for entry in Catalogue(store).maps())


def test_what_is_registered_is_mapped_published_and_catalogued(
    store: ObjectStore, mapper: FakeMapper, report: list[dict[str, Any]]
) -> None:
    assert whole(mapper) == 0
    assert sorted(mapper.mapped) == [*(("one", n) for n in range(5)), *(("two", n) for n in range(3))]
    outputs = published(store)
    files = ("item.json", "probability.tif", "index.html")
    assert set(outputs) == {f"{name}/{file}" for name in ("one", "two") for file in files}
    assert b"has not been compared" in outputs["one/index.html"], "the page that leads to its changes later"
    assert outputs["two/probability.tif"] == b"two 0\ntwo 1\ntwo 2\n"
    assert catalogued(store) == ["one", "two"]
    assert store.list(MAP_WORK) == []
    assert report[0] == {"maps": ["one", "two"], "blocks": 8, "left_out": {}}
    assert whole(mapper, "r2") == 99
    assert report[-1]["words"] == "every acquisition has its map by version 1 of stormsight-sar"


@FOLDER
def test_without_a_champion_there_is_nothing_to_do(store: ObjectStore, report: list[dict[str, Any]]) -> None:
    register(store, "one", b"5")
    assert command(FakeMapper(store)).plan(4) == 99
    assert report == [
        {"code": 99, "words": "there is no champion to map with", "step": report[0]["step"]},
    ]


@FOLDER
def test_a_new_champion_maps_again_and_a_rollback_only_what_it_has_not_mapped(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    assert whole(mapper) == 0
    promote(store, "2")
    register(store, "three", b"1")
    assert whole(mapper, "r2") == 0
    assert len(mapper.mapped) == 8 + 9
    promote(store, "1", "rollback")
    assert whole(mapper, "r3") == 0
    assert mapper.mapped[17:] == [("three", 0)]
    assert whole(mapper, "r4") == 99


@FOLDER
def test_withdrawn_acquisitions_are_not_mapped_and_people_may_choose(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    register(store, "three", b"1")
    Operations(store).withdraw("one", "a test")
    with pytest.raises(ParameterError, match="withdrawn"):
        command(mapper).plan(4, ["one"])
    assert command(mapper).plan(4, ["three"]) == 0
    assert [one.acquisition.id for one in read_map_plan(store, "r1").maps] == ["three"]
    assert command(mapper, "r2").plan(4) == 0
    assert [one.acquisition.id for one in read_map_plan(store, "r2").maps] == ["three", "two"]


@FOLDER
def test_a_plan_is_kept_whatever_happens_afterwards(store: ObjectStore, mapper: FakeMapper) -> None:
    assert command(mapper).plan(4) == 0
    before = read_map_plan(store, "r1")
    promote(store, "2")
    assert command(mapper).plan(2) == 0
    assert read_map_plan(store, "r1") == before


@FOLDER
def test_an_unreadable_acquisition_is_left_out_and_told_when_the_others_are_finished(
    store: ObjectStore, mapper: FakeMapper, report: list[dict[str, Any]]
) -> None:
    register(store, "bad", b"torn")
    with pytest.raises(BadDataError, match="bad cannot be mapped: bad: no raster") as raised:
        whole(mapper)
    assert "withdraw bad" in raised.value.next_step
    assert report[0]["left_out"] == {"bad": "bad: no raster"}
    assert {name.partition("/")[0] for name in published(store)} == {"one", "two"}
    with pytest.raises(BadDataError, match="bad: no raster"):
        command(mapper, "r2").plan(4)


@FOLDER
@pytest.mark.parametrize("damaged", [False, True])
def test_a_sensor_that_the_champion_does_not_know_by_its_item_is_left_out(
    store: ObjectStore, mapper: FakeMapper, report: list[dict[str, Any]], *, damaged: bool
) -> None:
    register(store, "other", b"2", sensor="simulated-spaceborne")
    register(store, "same", b"1", sensor="simulated-airborne")
    properties = {"instruments": ["simulated-airborne"]}
    item = {"type": "Feature", "stac_version": "1.1.0", "properties": properties, "assets": {}}
    content = encode(sealed(item))
    store.put(model_item_key(SAR_MODEL, "1"), content[:-9] if damaged else content)
    assert command(mapper).plan(4) == 0
    left_out = report[0]["left_out"]
    assert list(left_out) == ([] if damaged else ["other"])
    if not damaged:
        assert left_out["other"] == (
            "other is of simulated-spaceborne; version 1 of stormsight-sar knows simulated-airborne"
        )


@FOLDER
def test_groups_beyond_the_plan_have_nothing_to_do(store: ObjectStore, mapper: FakeMapper) -> None:
    assert command(mapper).plan(64) == 0
    assert len(read_map_plan(store, "r1").groups) == 8
    assert [command(mapper).group(number) for number in (0, 7, 8, 63, -1)] == [0, 0, 99, 99, 99]


@FOLDER
@pytest.mark.parametrize("moment", range(8))
def test_a_killed_group_goes_on_at_the_first_missing_block(
    store: ObjectStore, mapper: FakeMapper, moment: int
) -> None:
    assert command(mapper).plan(1) == 0

    def kill(acquisition: str, number: int) -> None:
        if len(mapper.mapped) == moment:
            mapper.before_block = None
            raise KilledError

    mapper.before_block = kill
    with pytest.raises(KilledError):
        command(mapper).group(0)
    assert len(mapper.mapped) == moment
    assert command(mapper).group(0) == 0
    assert len(mapper.mapped) == len(set(mapper.mapped)) == 8
    assert command(mapper).merge() == 0
    assert published(store)["one/probability.tif"] == b"".join(b"one %d\n" % n for n in range(5))


def test_a_later_run_goes_on_where_an_earlier_one_was_given_up(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    command(mapper).plan(4)
    command(mapper).group(0)
    command(mapper).group(2)
    assert whole(mapper, "r2", groups=3) == 0
    assert len(mapper.mapped) == 8


@FOLDER
def test_a_map_with_missing_blocks_is_named_and_the_others_are_finished(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    command(mapper).plan(8)
    for number in (0, 1, 3, 5, 6, 7):
        command(mapper).group(number)
    with pytest.raises(MissingInputError, match="2 of 5 blocks are missing: 2, 4") as raised:
        command(mapper).merge()
    assert "group" in raised.value.next_step
    assert {name.partition("/")[0] for name in published(store)} == {"two"}
    command(mapper).group(2)
    command(mapper).group(4)
    assert command(mapper).merge() == 0
    assert {name.partition("/")[0] for name in published(store)} == {"one", "two"}


def test_of_two_mergers_one_publishes_and_both_succeed(store: ObjectStore, mapper: FakeMapper) -> None:
    for run in ("r1", "r2"):
        command(mapper, run).plan(1)
    command(mapper, "r1").group(0)
    second: list[int] = []

    def other() -> None:
        mapper.before_publishing = None
        second.append(command(mapper, "r2").merge())

    mapper.before_publishing = other  # while the first one has written its files and uploaded none
    assert command(mapper, "r1").merge() == 0
    assert second == [0]
    assert len(catalogued(store)) == 2
    assert command(mapper, "r2").group(0) == 0
    assert len(mapper.mapped) == 8, "what is published is not mapped again"
    assert store.list(MAP_WORK) == []


@FOLDER
def test_a_merge_that_was_killed_before_the_catalogue_is_completed(
    store: ObjectStore, mapper: FakeMapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(mapper).plan(1)
    command(mapper).group(0)

    def kill(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Catalogue, "rebuild", kill)
        with pytest.raises(KilledError):
            command(mapper).merge()
    assert "one/item.json" in published(store)
    assert catalogued(store) == []
    assert command(mapper).merge() == 0
    assert catalogued(store) == ["one", "two"]


@FOLDER
def test_a_map_that_fails_does_not_stop_the_others_of_its_group(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    command(mapper).plan(1)

    def fail(acquisition: str, number: int) -> None:
        if acquisition == "one":
            raise SourceUnavailableError("S3 does not answer", next_step="none")

    mapper.before_block = fail
    with pytest.raises(SourceUnavailableError):
        command(mapper).group(0)
    assert mapper.mapped == [("two", 0), ("two", 1), ("two", 2)]


@FOLDER
def test_other_parameters_or_another_grid_than_planned_are_refused(
    store: ObjectStore, mapper: FakeMapper
) -> None:
    command(mapper).plan(1, ["one"])
    mapper.parameters_sha256 = "2" * 64
    with pytest.raises(ParameterError, match="planned with other code or parameters"):
        command(mapper).group(0)
    with pytest.raises(ParameterError, match="planned with other code or parameters"):
        command(mapper).merge()
    mapper.parameters_sha256 = "0" * 64
    key = map_inventory_key(read_map_plan(store, "r1").maps[0].id)
    store.put(key, seal({"blocks": 6}))
    with pytest.raises(BadDataError, match="another grid") as raised:
        command(mapper).group(0)
    assert key in raised.value.next_step
    store.put(key, b"{}")
    with pytest.raises(BadDataError, match=r"inventory\.json is damaged: it has no seal"):
        command(mapper).group(0)
    assert mapper.mapped == []


def test_a_delivery_is_read_whole_once_by_the_plan(store: ObjectStore, mapper: FakeMapper) -> None:
    assert whole(mapper) == 0
    assert mapper.checked == ["one", "two"]


@FOLDER
def test_an_inventory_that_is_gone_is_made_anew(store: ObjectStore, mapper: FakeMapper) -> None:
    command(mapper).plan(1, ["one"])
    store.delete(map_inventory_key(read_map_plan(store, "r1").maps[0].id))
    assert command(mapper).group(0) == 0
    assert mapper.checked == ["one", "one"]
    assert command(mapper).merge() == 0
