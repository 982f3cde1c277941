from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_bytes
from components.contract.keys import map_plan_key
from components.lib.mapping.blocks import Blocks
from components.lib.objects.opening import open_objects
from components.lib.operations.plan import Acquisition
from components.predict.planning import (
    MapPlan,
    ModelPin,
    PlannedMap,
    champion_pin,
    divide,
    map_id,
    read_map_plan,
)
from tests.predict.map_world import promote

MODEL = ModelPin(name="stormsight-sar", version="3", weights_sha256="a" * 64)


def planned(name: str, blocks: int) -> PlannedMap:
    identity = map_id(name, "b" * 64, MODEL, "parameters", "code")
    return PlannedMap(
        id=identity,
        acquisition=Acquisition(name, "c" * 64),
        marker_sha256="b" * 64,
        blocks=Blocks((1, blocks), 1),
    )


@pytest.mark.parametrize("sizes", [[1], [5, 1, 7], [64], [100, 1], [1000]])
@pytest.mark.parametrize("most", [1, 4, 64, 1000])
def test_every_block_of_every_map_is_in_one_group_and_groups_are_almost_equal(
    sizes: list[int], most: int
) -> None:
    maps = [planned(f"scene-{number}", size) for number, size in enumerate(sizes)]
    groups = divide(maps, most)
    blocks = [(share.map, number) for group in groups for share in group for number in share.numbers]
    assert blocks == [(one.id, number) for one in maps for number in range(len(one.blocks))]
    assert len(groups) == min(most, 64, sum(sizes))
    lengths = [sum(len(share.numbers) for share in group) for group in groups]
    assert max(lengths) - min(lengths) <= 1
    assert all(len({share.map for share in group}) == len(group) for group in groups)


def test_nothing_is_divided_into_no_group() -> None:
    assert divide([], 4) == ()


def test_the_id_depends_on_all_that_the_map_depends_on() -> None:
    model = MODEL
    ids = {
        map_id("x", "b" * 64, model, "parameters", "code"),
        map_id("x", "c" * 64, model, "parameters", "code"),
        map_id("x", "b" * 64, ModelPin(name="m", version="4", weights_sha256="a" * 64), "parameters", "code"),
        map_id("x", "b" * 64, ModelPin(name="m", version="4", weights_sha256="b" * 64), "parameters", "code"),
        map_id("x", "b" * 64, model, "others", "code"),
        map_id("x", "b" * 64, model, "parameters", "other code"),
    }
    assert len(ids) == 6
    assert map_id("x", "b" * 64, model, "parameters", "code") in ids


def test_a_plan_is_written_once_and_read_as_it_was(tmp_path: Path) -> None:
    store = open_objects(str(tmp_path))
    maps = (planned("one", 3), planned("two", 2))
    plan = MapPlan(run="r1", model=MODEL, maps=maps, groups=divide(maps, 2), left_out={"bad": "torn"})
    assert plan.write(store) == plan
    other = MapPlan(run="r1", model=MODEL, maps=maps[:1], groups=divide(maps[:1], 2))
    assert other.write(store) == plan, "the first one stands"
    assert read_map_plan(store, "r1") == plan
    with pytest.raises(MissingInputError):
        read_map_plan(store, "r2")
    store.put(map_plan_key("r2"), store.get(map_plan_key("r1")))
    with pytest.raises(BadDataError, match="the plan of run r1"):
        read_map_plan(store, "r2")


def test_the_champion_is_that_of_the_ledger_also_after_a_rollback(tmp_path: Path) -> None:
    store = open_objects(str(tmp_path))
    assert champion_pin(store) is None
    for version, action in (("1", "promote"), ("2", "promote"), ("1", "rollback")):
        promote(store, version, action)
        pin = champion_pin(store)
        assert pin == ModelPin(
            name="stormsight-sar", version=version, weights_sha256=sha256_bytes(version.encode())
        )
        assert pin.uri == f"models:/stormsight-sar/{version}"
