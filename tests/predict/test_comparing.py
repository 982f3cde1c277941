"""The command ``compare`` of the DAG: the changes of each map of a run, with the rights of its account."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.contract.keys import map_item_key
from components.lib.catalogue.changes import MapChanges
from components.lib.catalogue.documents import encode, sealed
from components.lib.mapping.blocks import Blocks
from components.lib.objects.folder import FolderObjects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.operations import Operations
from components.lib.operations.plan import Acquisition
from components.predict.comparing import compare_run
from components.predict.planning import MapPlan, ModelPin, PlannedMap, divide
from tests.guarded_objects import GuardedObjects
from tests.predict.changes.published import houses, later_houses, publish
from tests.predict.map_world import register

MAPS = {"june": "june-0123456789abcdef", "later": "later-0123456789abcdef"}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps of two acquisitions."""
    root = tmp_path_factory.mktemp("objects") / "maps"
    publish(root, "june", houses(), 5, map_id=MAPS["june"])
    publish(root, "later", later_houses(), 25, map_id=MAPS["later"])
    return root


@pytest.fixture
def store(published: Path, tmp_path: Path) -> FolderObjects:
    """Both registered, mapped and published, and a run that has planned them."""
    shutil.copytree(published, tmp_path / "objects" / "maps")
    found = FolderObjects(tmp_path / "objects")
    for name in MAPS:
        register(found, name, b"1")
    plan(found, "r1", *MAPS)
    return found


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []
    monkeypatch.setattr("components.predict.comparing.report_result", found.append)
    monkeypatch.setattr("components.predict.outcomes.report_failure", lambda *given: found.append(given))
    return found


def plan(store: ObjectStore, run: str, *names: str) -> None:
    """Write the plan of a run that makes the maps of acquisitions."""
    sha256 = Operations(store).state().pending
    maps = tuple(
        PlannedMap(
            id=MAPS[name],
            acquisition=Acquisition(name, sha256[name]),
            marker_sha256="0" * 64,
            blocks=Blocks((1, 1), 1),
        )
        for name in names
    )
    model = ModelPin(name="stormsight-sar", version="3", weights_sha256="0" * 64)
    MapPlan(run=run, model=model, maps=maps, groups=divide(maps, 1)).write(store)


def compare(store: ObjectStore, run: str = "r1") -> int:
    """Compare with the rights of the account ``map``, and no more."""
    return compare_run(GuardedObjects(store, "map"), run)


def test_each_map_of_a_run_is_compared_once(store: FolderObjects, reports: list[Any]) -> None:
    assert compare(store) == 0
    assert reports == [
        {
            "changes": {
                "later": {
                    **{"before": MAPS["june"], "added": 1, "removed": 1, "enlarged": 1},
                    **{"unobserved": 0, "same_model": True},
                }
            },
            "nothing_earlier": ["june"],
        }
    ]
    before = {info.key: store.get(info.key) for info in store.list("maps/")}
    assert compare(store) == 0
    assert {info.key: store.get(info.key) for info in store.list("maps/")} == before
    assert reports[0] == reports[1]


def test_nothing_earlier_is_no_failure(store: FolderObjects, reports: list[Any]) -> None:
    plan(store, "r2", "june")
    assert compare(store, "r2") == 99
    assert reports == [(99, "no earlier map shows the ground of june", "none")]
    with pytest.raises(MissingInputError, match="run r3 has no plan"):
        compare(store, "r3")


def test_a_withdrawn_acquisition_is_no_earlier_look(store: FolderObjects, reports: list[Any]) -> None:
    Operations(store).withdraw("june", "a test")
    assert compare(store) == 99
    assert reports[0][1] == "no earlier map shows the ground of june, later"


def test_a_map_that_was_not_published_is_passed_over(store: FolderObjects, reports: list[Any]) -> None:
    store.delete(map_item_key(MAPS["later"]))
    assert compare(store) == 99
    assert reports[0][1] == "no earlier map shows the ground of june"


def test_a_map_of_roads_is_refused_by_name(store: FolderObjects, tmp_path: Path) -> None:
    key = map_item_key(MAPS["later"])
    item = json.loads(store.get(key))
    del item["properties"]["stormsight:seal"]
    item["properties"]["stormsight:task"] = "roads"
    store.put(key, encode(sealed(item)))
    with pytest.raises(ParameterError, match=f"map '{MAPS['later']}' is one of roads") as raised:
        compare(store)
    assert "name two maps of buildings" in raised.value.next_step
    assert MapChanges(store).item(MAPS["later"]) is None


def test_a_comparison_that_fails_leaves_the_map(store: FolderObjects) -> None:
    footprints = next((store.root / "maps/items" / MAPS["june"]).rglob("footprints.parquet"))
    footprints.write_bytes(b"torn")
    before = store.get(map_item_key(MAPS["later"]))
    with pytest.raises(BadDataError, match=r"footprints\.parquet"):
        compare(store)
    assert store.get(map_item_key(MAPS["later"])) == before
    assert MapChanges(store).item(MAPS["later"]) is None
