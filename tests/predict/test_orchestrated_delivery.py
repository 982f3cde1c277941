"""A landed acquisition becomes a map by the commands of the DAG: files, model and catalogue are real ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.acquisitions.__main__ import main as acquisitions
from components.contract.identity import ROOT
from components.contract.keys import ITEM, MAP_ITEMS, MAP_MODELS, MAP_WORK, MAPS_CATALOG
from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from components.predict.__main__ import main
from components.promote.buildings import PromotionSettings
from tests.guarded_objects import GuardedObjects
from tests.predict.test_models import stage
from tests.promote.running import run
from tests.promote.world import FINDS

__all__ = ["stage"]


def test_a_landed_acquisition_becomes_a_map(
    stage: PromotionSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_objects(str(tmp_path / "objects"))
    monkeypatch.setenv("STORMSIGHT_OBJECTS", store.uri)
    monkeypatch.setenv("STORMSIGHT_PROFILE", "trial")
    monkeypatch.setenv("STORMSIGHT_LANDING", str(tmp_path / "landing"))
    guarded = GuardedObjects(store, "map")
    monkeypatch.setattr("components.predict.commands.objects_from_environment", lambda: guarded)
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["map"] = {"window_px": 64, "overlap_px": 16, "block_px": 2048, "device": "cpu", "threads": 1}
    params["profiles"]["trial"] = {"map": {"block_px": 128}}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    acquisitions(["land", "--id", "new-1", "--tiles", "12", "--tile-px", "64", "--seed", "3"])
    acquisitions(["register"])
    assert main(["plan", "--run", "r1"]) == 99, "there is no champion yet"
    run(stage, FINDS)
    assert main(["plan", "--run", "r2", "--groups", "3"]) == 0
    assert [main(["group", "--run", "r2", "--number", str(number)]) for number in range(3)] == [0, 0, 0]
    assert main(["merge", "--run", "r2"]) == 0
    (key,) = [info.key for info in store.list(MAP_ITEMS) if info.key.endswith(f"/{ITEM}")]
    item = json.loads(store.get(key))
    assert key.startswith(f"{MAP_ITEMS}new-1-")
    for asset in item["assets"].values():
        assert store.exists(f"{key.removesuffix(ITEM)}{asset['href'].removeprefix('./')}")
    assert store.exists(MAPS_CATALOG)
    assert store.list(MAP_WORK) == []
    assert main(["compare", "--run", "r2"]) == 99, "nothing is earlier"
    assert main(["remap"]) == 99, "nothing is left to map"
    compared_with_the_map_of(key, store)
    assert guarded.refused == set()
    published = {name: item["assets"][name]["file:checksum"] for name in ("probability", "footprints")}
    assert checksums_by_item_alone(store, tmp_path) == published


def compared_with_the_map_of(key: str, store: ObjectStore) -> None:
    """Land a later acquisition of the same ground: `remap` maps it, and publishes its changes."""
    acquisitions(["land", "--id", "a", "--tiles", "12", "--tile-px", "64", "--seed", "3"])
    acquisitions(["register"])
    assert main(["remap"]) == 0
    (found,) = [info.key for info in store.list(MAP_ITEMS) if info.key.endswith(f"/changes/{ITEM}")]
    assert found.startswith(f"{MAP_ITEMS}a-")
    assert json.loads(store.get(found))["properties"]["stormsight:before"]["map"] == key.split("/")[-2]


def checksums_by_item_alone(store: ObjectStore, folder: Path) -> dict[str, str]:
    """Map the landed files in a fresh process that is given the model's STAC item and no registry."""
    (key,) = [info.key for info in store.list(MAP_MODELS) if info.key.endswith(f"/{ITEM}")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STORMSIGHT_")}
    scene, model = str(folder / "landing/new-1"), f"{store.uri}/{key}"
    subprocess.run(
        [sys.executable, "-m", "components.predict", scene, "--out", "own", "--model", model],
        env={**environment, "PYTHONPATH": str(ROOT), "MLFLOW_TRACKING_URI": "http://127.0.0.1:1"},
        check=True,
    )
    (item,) = Path("own/items").glob(f"*/{ITEM}")
    (page,) = (path for path in Path("own/items").glob("*/*/index.html") if path.parent.name != "changes")
    # The model's item lies in another store of this machine: nothing that is copied away may link to it.
    assert "file://" not in item.read_text()
    assert f'href="{store.uri}' not in page.read_text()
    assets = json.loads(item.read_text())["assets"]
    return {name: assets[name]["file:checksum"] for name in ("probability", "footprints")}
