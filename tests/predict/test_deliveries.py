"""Maps of deliveries in an object store: read whole once, then tile by tile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.contract.errors import BadDataError, MissingInputError, SourceUnavailableError
from components.lib.config.scoring import ScoringSettings
from components.lib.mapping.blocks import Box
from components.lib.objects.opening import open_objects
from components.predict.deliveries import DeliveryMapper
from components.predict.looks import looks_of
from components.predict.mapper import Delivery
from components.predict.mapping import SceneMap
from components.predict.models import ServedModel
from components.predict.parameters import MapParameters
from components.predict.planning import ModelPin
from components.predict.rules import MapRules
from components.simulation.release import ReleaseFile
from tests.lib.mapping.looks_at_ground import Nearby
from tests.predict.scenes.simulated import AIRBORNE, write_folder
from tests.s3_proxy import Lossy
from tests.simulation.conftest import airborne

__all__ = ["airborne"]

PIN = ModelPin(name="stormsight-sar", version="1", weights_sha256=None)
RULES = MapRules(MapParameters(window_px=64, overlap_px=16, block_px=64), ScoringSettings(min_area_px=4))
MODEL = ServedModel(
    net=Nearby(reach=0), name="test", version="1", weights_sha256="0" * 64, promoted=False, item_href=None
)


def registered(airborne: list[ReleaseFile], folder: Path) -> Delivery:
    """Delivery of all strips, as registered, with its files in a folder."""
    root = write_folder(airborne, folder)
    kept = [path for path in root.rglob("*") if "SAR-Intensity" in path.name or "orient" in path.name]
    objects = [
        {
            "key": path.relative_to(root).as_posix(),
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in kept
        if path.is_file()
    ]
    return Delivery(acquisition="new", uri=f"{root}/", entry={"sensor": AIRBORNE, "objects": objects})


@pytest.fixture
def delivery(airborne: list[ReleaseFile], tmp_path: Path) -> Delivery:
    """Delivery whose files a test may change."""
    return registered(airborne, tmp_path / "copy")


@pytest.fixture(scope="module")
def intact(
    airborne: list[ReleaseFile], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Delivery, dict[str, Any]]:
    """Delivery whose files no test changes, and its inventory."""
    folder = tmp_path_factory.mktemp("intact")
    found = registered(airborne, folder / "copy")
    return found, checked(found, folder)


def opened(
    delivery: Delivery, inventory: Mapping[str, Any], scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> SceneMap:
    scratch.mkdir()
    mapper = DeliveryMapper(RULES)
    monkeypatch.setattr(mapper, "_pinned", lambda pin: MODEL)
    return mapper.open("new-0123456789abcdef", delivery, inventory, PIN, scratch)


def checked(delivery: Delivery, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "check").mkdir(parents=True)
    record = DeliveryMapper(RULES).check(delivery, tmp_path / "check")
    return json.loads(json.dumps(record))  # type: ignore[no-any-return]


def test_scenes_of_an_inventory_are_those_of_the_files(
    delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = looks_of(
        [delivery.uri], sensor=AIRBORNE, modality="sar", orientation=None, scratch=tmp_path / "none"
    )
    found = opened(delivery, checked(delivery, tmp_path), tmp_path / "scratch", monkeypatch)
    assert [look.facts for look in found.looks] == [look.facts for look in whole]
    assert found.grid == whole[0].grid
    for one, other in zip(found.looks, whole, strict=True):
        box = Box(-5, 0, 300, one.grid.width)
        np.testing.assert_array_equal(one.read(box), other.read(box))


def test_a_block_fetches_its_own_tiles_alone_and_nothing_at_its_opening(
    delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = checked(delivery, tmp_path)
    found = opened(delivery, inventory, tmp_path / "scratch", monkeypatch)
    assert not list((tmp_path / "scratch").iterdir())
    work = open_objects(str(tmp_path / "work"))
    found.map_blocks([0], work, "blocks/")
    tiles = sum(len(strip["tiles"]) for strip in inventory["strips"])
    assert 0 < len(list((tmp_path / "scratch").iterdir())) < tiles


def test_a_tile_that_was_changed_or_removed_since_the_check_is_named(
    delivery: Delivery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = checked(delivery, tmp_path)
    found = opened(delivery, inventory, tmp_path / "scratch", monkeypatch)
    work = open_objects(str(tmp_path / "work"))
    tiles = list(Path(delivery.uri).rglob("*.tif"))
    for tile in tiles:
        tile.write_bytes(tile.read_bytes() + b"x")
    with pytest.raises(BadDataError, match=r"SAR-Intensity.*\.tif"):
        found.map_blocks(range(len(found.blocks)), work, "blocks/")
    for tile in tiles:
        tile.unlink()
    with pytest.raises(MissingInputError, match=r"SAR-Intensity.*\.tif"):
        found.map_blocks(range(len(found.blocks)), work, "blocks/")
    assert work.list() == []


def test_a_copy_that_is_not_what_was_registered_is_refused_by_the_check(
    delivery: Delivery, tmp_path: Path
) -> None:
    entry = {**delivery.entry, "objects": [{**one, "sha256": "0" * 64} for one in delivery.entry["objects"]]}
    other = Delivery(acquisition="new", uri=delivery.uri, entry=entry)
    with pytest.raises(BadDataError, match="is not the file that was registered"):
        checked(other, tmp_path)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "states no sensor"),
        ({"sensor": 7}, "states no sensor"),
        ({"sensor": AIRBORNE}, "not hold the fields"),
        (
            {"sensor": AIRBORNE, "objects": [{"key": "a", "size": -1, "sha256": "x"}]},
            "not hold the fields",
        ),
    ],
)
def test_an_entry_without_sensor_or_files_is_refused(
    entry: dict[str, Any], words: str, intact: tuple[Delivery, dict[str, Any]], tmp_path: Path
) -> None:
    with pytest.raises(BadDataError, match=words):
        checked(Delivery(acquisition="new", uri=intact[0].uri, entry=entry), tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"strips": []},
        {"strips": [{"tiles": []}]},
        {"strips": 7},
        {"strips": [{"facts": None, "grid": {}, "tiles": [{}]}]},
    ],
)
def test_a_changed_inventory_is_refused(
    changed: dict[str, Any],
    intact: tuple[Delivery, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(BadDataError, match="inventory of map new-0123456789abcdef"):
        opened(intact[0], changed, tmp_path / "scratch", monkeypatch)


def test_a_bucket_that_breaks_off_or_refuses_leaves_no_block(
    delivery: Delivery, bucket: str, s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Lossy(s3_url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
    uri = f"s3://{bucket}/copy"
    store, root = open_objects(uri), Path(delivery.uri)
    for one in delivery.entry["objects"]:
        store.upload(one["key"], root / one["key"])
    there = Delivery(acquisition="new", uri=f"{uri}/", entry=delivery.entry)
    inventory = checked(there, tmp_path)
    assert inventory == checked(delivery, tmp_path / "own")
    found = opened(there, inventory, tmp_path / "scratch", monkeypatch)
    work = open_objects(str(tmp_path / "work"))
    proxy.cut = [100]  # one body ends early: it is asked for again
    found.map_blocks([0], work, "blocks/")
    assert len(work.list()) == 1
    other = opened(there, inventory, tmp_path / "scratch-2", monkeypatch)
    proxy.status = 403
    with pytest.raises(SourceUnavailableError, match="403"):
        other.map_blocks([1], work, "blocks/")
    proxy.status = None
    for info in store.list():
        store.put(info.key, store.get(info.key)[:-1])
    with pytest.raises(BadDataError, match="SHA-256"):
        other.map_blocks([1], work, "blocks/")
    for info in store.list():
        store.delete(info.key)
    with pytest.raises(MissingInputError, match=r"SAR-Intensity.*\.tif is missing"):
        other.map_blocks([1], work, "blocks/")
    assert len(work.list()) == 1
    proxy.close()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("grid", "gsd_m"), 0.0),
        (("grid", "gsd_m"), -0.5),
        (("grid", "height"), 10**12),
        (("facts", "orientation"), 7),
        (("facts", "crs"), "EPSG:4326"),
        (("facts", "sources"), None),
        (("tiles", 0, "box", "top"), -5),
        (("tiles", 0, "box", "bottom"), 10**9),
        (("tiles", 0, "place", "native", "width"), 0),
        (("tiles", 0, "sha256"), "../../etc/passwd"),
        (("tiles", 0, "name"), "other.tif"),
    ],
)
def test_an_inventory_with_another_place_or_file_is_refused(
    path: tuple[str | int, ...],
    value: object,
    intact: tuple[Delivery, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delivery, inventory = deepcopy(intact)
    held: Any = inventory["strips"][0]
    for step in path[:-1]:
        held = held[step]
    held[path[-1]] = value
    with pytest.raises(BadDataError):
        opened(delivery, inventory, tmp_path / "scratch", monkeypatch)
