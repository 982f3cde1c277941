"""The number of partitions, and the order in which acquisitions come, change no result."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.partitions import (
    MAX_PARTITIONS,
    acquisitions_of,
    graph_values,
    partition_names,
    partition_of,
)
from components.lib.geo.grid import GRID_M
from components.lib.shards.manifest import write_manifest
from components.lib.store.store import Store
from components.prepare.pipeline import Folders as PrepareFolders
from components.prepare.pipeline import prepare_partition
from components.prepare.store import prepare, split_store
from components.validate.parameters import ValidateParameters
from components.validate.stage import Folders, validate
from tests.conftest import ROOT
from tests.prepare.tiny_raw import (
    AIRBORNE,
    PARAMETERS,
    SIDE,
    SPACEBORNE,
    WEST,
    Acquisition,
    boxes,
    corner,
    geojson,
    rgb_values,
    sar_values,
    tif,
)

LIMITS = ValidateParameters(
    max_quarantine_share=1.0,
    max_nodata_share=0.95,
    min_strip_coverage=0.0,
    mean_range=(0.0, 1.0),
    max_strip_drift=1e9,
)
HOUSE = (10, 20, 25, 30)
FLIGHTS = 5


def flights() -> list[Acquisition]:
    """Acquisitions of two sensors over the same ground, with tiles of every fate among them."""
    made = []
    for number in range(FLIGHTS):
        flight = Acquisition(f"flight-{number}")
        for tile in (1, 2):
            x_left = WEST + 900 * number + 10 * tile
            flight.add_tile(10 * number + tile, x_left, polygons=boxes(corner(x_left), HOUSE))
        made.append(flight)
    made[1].add("SAR-Intensity", 12, b"II*\x00")  # quarantined
    made[2].files.pop(("PS-RGB", *next(key for key in made[2].files if key[0] == "PS-RGB")[1:]))
    # Of a sensor with labels, itself without: left out, wherever the labels are.
    unlabelled = Acquisition("unlabelled")
    unlabelled.add("SAR-Intensity", 90, tif(sar_values(90), corner(WEST)))
    unlabelled.add("PS-RGB", 90, tif(rgb_values(90), corner(WEST)))
    space = Acquisition("orbit", SPACEBORNE)
    transform = corner(WEST + 100, gsd=2 * GRID_M)
    space.add("SAR-Intensity", 1, tif(sar_values(1, 2, SIDE // 2), transform))
    space.add("Buildings", 1, geojson(boxes(transform, HOUSE)))
    return [*made, unlabelled, space]


@dataclass(frozen=True)
class Result:
    """All that later stages read, and the reports."""

    index: bytes
    layers: dict[tuple[str, str], npt.NDArray[Any]]
    footprints: pd.DataFrame
    features: bytes
    quarantine: bytes
    verdict: dict[str, Any]
    details: dict[str, Any]


def write_raw(raw: Path, acquisitions: Sequence[Acquisition], names: Sequence[str]) -> None:
    for partition in names:
        own = [a for a in acquisitions if partition_of(a.name, names) == partition]
        write_manifest(raw / partition, [row for a in own for row in a.write(raw / partition)])


def prepare_folders(root: Path) -> PrepareFolders:
    return PrepareFolders(root / "raw", root / "validated", root / "prepared", root / "prepare/metrics.json")


def run(root: Path, acquisitions: Sequence[Acquisition], count: int) -> Result:
    names = partition_names({"partitions": count})
    write_raw(root / "raw", acquisitions, names)
    folders = Folders(root / "raw", root / "features", root / "validated", root / "validate")
    verdict = validate(folders, LIMITS, names)
    details = prepare(prepare_folders(root), PARAMETERS, names, processes=1)
    return result(root, verdict, details)


def result(root: Path, verdict: dict[str, Any], details: dict[str, Any]) -> Result:
    store = Store.open(root / "prepared")
    return Result(
        index=(root / "prepared/index.parquet").read_bytes(),
        layers={
            (sensor, layer): np.asarray(store.layer(sensor, layer))
            for sensor, layer in [
                (AIRBORNE, "sar"), (AIRBORNE, "optical"), (AIRBORNE, "target"),
                (SPACEBORNE, "sar"), (SPACEBORNE, "target"),
            ]
        },
        footprints=store.footprints,
        features=(root / "validated/features.parquet").read_bytes(),
        quarantine=(root / "validated/quarantine.csv").read_bytes(),
        verdict=verdict,
        details=details,
    )  # fmt: skip


def require_equal(one: Result, other: Result) -> None:
    assert other.verdict == one.verdict
    assert other.details == one.details
    assert other.quarantine == one.quarantine
    assert other.features == one.features
    assert other.index == one.index
    pd.testing.assert_frame_equal(other.footprints, one.footprints)
    for key, layer in one.layers.items():
        np.testing.assert_array_equal(other.layers[key], layer, str(key))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One partition."""
    return run(tmp_path_factory.mktemp("one"), flights(), 1)


def test_the_reference_has_tiles_of_every_fate(reference: Result) -> None:
    assert reference.verdict["verdict"] == "good"
    assert reference.details["excluded"] == {"no labels": 1, "quarantined": 2}
    assert reference.details["tiles"] == 2 * FLIGHTS - 2 + 1


@pytest.mark.parametrize(("count", "seed"), [(8, 1), (MAX_PARTITIONS, 2)])
def test_any_number_of_partitions_and_any_order_give_equal_results(
    reference: Result, tmp_path: Path, count: int, seed: int
) -> None:
    shuffled = flights()
    random.Random(seed).shuffle(shuffled)
    require_equal(reference, run(tmp_path, shuffled, count))


KILLED = """
import os, random, sys
sys.path.insert(0, {root!r})
import components.validate.measure, components.prepare.store, components.lib.config.loader
from components.prepare.__main__ import main as prepare
from components.validate.__main__ import main as validate

def child(main, arguments, last):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    seen = 0
    def hook(event, values):
        # Every opening and renaming of an output is a moment to die at, without any clean-up.
        nonlocal seen
        if event in ("open", "os.rename", "os.mkdir") and any(
            kind in str(values[0]) for kind in ("features", "prepared")
        ):
            seen += 1
            if seen == last:
                os._exit(137)
    sys.addaudithook(hook)
    sys.argv = arguments
    code = 1
    try:
        main()
        code = 0
    finally:
        os._exit(code)

draw = random.Random(int(sys.argv[1]))
codes = []
for name in sys.argv[2:]:
    for main, most in ((validate, 12), (prepare, 60)):
        codes += [child(main, ["stage", "--partition", name], draw.randint(1, most)) for _ in range(3)]
        codes.append(child(main, ["stage", "--partition", name], 0))
print(codes)
"""


def test_a_worker_that_is_killed_at_random_and_run_again_changes_nothing(
    reference: Result, tmp_path: Path
) -> None:
    names = partition_names({"partitions": 3})
    params = (ROOT / "params.yaml").read_text().replace("\npartitions: 1\n", "\npartitions: 3\n")
    (tmp_path / "params.yaml").write_text(params)
    write_raw(tmp_path / "data/raw", flights(), names)
    folders = Folders(*(tmp_path / name for name in ("data/raw", "data/features", "data/validated", "out")))
    verdict = validate(folders, LIMITS, names)
    victims = [name for name in names if acquisitions_of(name, [a.name for a in flights()], names)][:2]
    code = KILLED.format(root=str(ROOT))
    command = [sys.executable, "-c", code, "20", *victims]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    codes = json.loads(done.stdout)
    assert codes[3::4] == [0] * 2 * len(victims), done.stderr
    assert codes.count(137) >= len(victims), "somebody was killed"
    data = tmp_path / "data"
    prepared = PrepareFolders(data / "raw", data / "validated", data / "prepared", data / "out/metrics.json")
    parameters = PARAMETERS.model_copy(update={"edge_px": 3})  # as params.yaml has it
    for name in names:
        if name not in victims:
            prepare_partition(prepared, name, parameters, processes=1)
    assert not [path for path in data.rglob(".*") if path.name.startswith(".p")], "nothing unfinished is left"
    found = result(data, verdict, split_store(prepared, parameters.split, names))
    assert found.index == reference.index
    np.testing.assert_array_equal(found.layers[AIRBORNE, "sar"], reference.layers[AIRBORNE, "sar"])
    assert found.details == reference.details


def run_prepare(root: Path, acquisitions: Sequence[Acquisition], count: int) -> pd.DataFrame:
    """Prepare acquisitions without a verdict; the index."""
    names = partition_names({"partitions": count})
    write_raw(root / "raw", acquisitions, names)
    for name in names:
        (root / "validated" / name).mkdir(parents=True)
        (root / "validated" / name / "quarantine.csv").write_text(
            "acquisition,image_id,product,rule,reason\n"
        )
    prepare(prepare_folders(root), PARAMETERS, names, processes=1)
    return Store.open(root / "prepared").index


def flight_of(name: str, first: int, *lefts: float) -> Acquisition:
    flight = Acquisition(name)
    for tile, x_left in enumerate(lefts, start=first):
        flight.add_tile(tile, x_left, polygons=boxes(corner(x_left), HOUSE))
    return flight


def test_a_new_acquisition_moves_no_old_tile_to_a_looser_side(tmp_path: Path) -> None:
    """Train, selection and test follow from the ground alone; buffer and clean may only become stricter."""
    old = [
        flight_of("west", 1, WEST, 594_345.0),
        flight_of("middle", 10, 594_700.0),
        flight_of("east", 20, 595_320.0, 595_610.0),
    ]
    late = flight_of("late", 30, 592_300.0, 594_371.0, 595_300.0, 595_700.0)
    before, after = (
        run_prepare(tmp_path / when, flights, 2).set_index("image_id")
        for when, flights in (("before", old), ("after", [*old, late]))
    )
    assert len(after) == len(before) + 4
    after = after.loc[before.index]
    assert (after["kang"] == before["kang"]).all()
    moved = after["split"] != before["split"]
    assert list(zip(before["split"][moved], after["split"][moved], strict=True)) == [("train", "buffer")]
    assert before["clean"].sum() == 2
    assert after["clean"].sum() == 1
    assert not (after["clean"] & ~before["clean"]).any()
    assert (after["position"] == before["position"]).all(), "what an acquisition holds is written once"


def test_there_is_no_limit_on_the_number_of_acquisitions(tmp_path: Path) -> None:
    many = [flight_of(f"tiny-{number}", number, WEST + 10 * number) for number in range(65)]
    assert len(run_prepare(tmp_path, many, 1)) == 65
    assert Store.open(tmp_path / "prepared").layer(AIRBORNE, "sar").shape[0] == 65


ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)


@given(st.lists(ids, unique=True), st.integers(1, MAX_PARTITIONS))
def test_every_acquisition_is_in_one_partition_whatever_the_others(names: list[str], count: int) -> None:
    partitions = partition_names({"partitions": count})
    inside = [acquisitions_of(partition, names, partitions) for partition in partitions]
    assert sorted(name for part in inside for name in part) == sorted(names)
    for partition, part in zip(partitions, inside, strict=True):
        assert part == sorted(part)
        assert all(partition_of(name, partitions) == partition for name in part)


def test_partitions_fill_evenly() -> None:
    names = partition_names({"partitions": MAX_PARTITIONS})
    sizes = [len(acquisitions_of(name, [f"a-{i}" for i in range(6400)], names)) for name in names]
    assert min(sizes) > 60
    assert max(sizes) < 145


def test_the_partition_of_an_acquisition_never_changes() -> None:
    """Stored results depend on it."""
    names = partition_names({"partitions": MAX_PARTITIONS})
    assert [partition_of(name, names) for name in ("spacenet6-train", "rehearsal-airborne")] == ["p31", "p46"]
    assert graph_values({"partitions": 2}) == {"partitions": ["p00", "p01"]}
