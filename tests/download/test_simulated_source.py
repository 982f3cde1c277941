"""``simulate://``: made once, kept while world and code stay the same, the same bytes on every machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from components.contract.errors import ResourceError
from components.download.acquire import acquire
from components.download.catalogue import load_entry
from components.download.parameters import DownloadParameters
from components.download.publish import publish
from components.download.sources import simulated
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from components.simulation import release
from tests.download.test_disk_and_locks import Usage

ENTRIES = ("rehearsal-airborne", "rehearsal-spaceborne")
SMALL = DownloadParameters(shard_mib=1)


def parameters(folder: Path, seed: int = 1) -> Path:
    world = {"seed": seed, "tiles": 12, "tile_px": 64}
    path = folder / f"params-{seed}.yaml"
    path.write_text(yaml.safe_dump({"profile": "p", "profiles": {"p": {}}, "world": world}))
    return path


def fetch(folder: Path, seed: int = 1) -> Path:
    shards = {
        name: acquire(
            load_entry(name),
            SMALL,
            staging_root=folder / "staging",
            params_file=parameters(folder, seed),
        )
        for name in ENTRIES
    }
    publish(shards, folder / "raw")
    return folder / "raw"


def tree(raw: Path) -> dict[str, bytes]:
    return {str(path.relative_to(raw)): path.read_bytes() for path in raw.rglob("*.*")}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest world, made once for the module."""
    folder = tmp_path_factory.mktemp("world")
    fetch(folder)
    return folder


def test_both_sensors_arrive_with_the_products_they_promise(first: Path) -> None:
    manifest = read_manifest(first / "raw")
    products = manifest.groupby("acquisition")["product"].unique().map(set).to_dict()
    assert products == {name: set(load_entry(name).products) for name in ENTRIES}
    assert set(manifest["source"].str.split("://").str[0]) == {"simulate"}
    with ShardReader(first / "raw") as reader:
        for row in manifest.itertuples():
            content = reader.read(row)
            if str(row.name).endswith(".tif"):
                assert content[:4] in (b"II*\0", b"MM\0*")
    tiles = manifest[manifest["product"] == "SAR-Intensity"].groupby("acquisition").size()
    assert tiles["rehearsal-airborne"] == 12


def test_a_second_run_simulates_nothing(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(first / "raw")
    shutil.rmtree(first / "raw")  # as DVC does before it runs a stage

    def refuse(*_: object) -> None:
        raise AssertionError("simulated again")

    monkeypatch.setattr(release, "release_files", refuse)
    assert tree(fetch(first)) == before


def test_another_world_or_other_code_is_made_anew(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def count(*_: object) -> None:
        calls.append(1)
        raise ResourceError("made anew", next_step="")

    monkeypatch.setattr(release, "release_files", count)
    with pytest.raises(ResourceError, match="made anew"):
        fetch(first, seed=2)
    real = simulated.code_hash
    monkeypatch.setattr(simulated, "code_hash", lambda name: real(name) + "changed")
    with pytest.raises(ResourceError, match="made anew"):
        fetch(first)
    assert len(calls) == 2


def test_the_same_world_gives_the_same_bytes_elsewhere(first: Path, tmp_path: Path) -> None:
    fetch(first)
    assert tree(fetch(tmp_path)) == tree(first / "raw")


def test_room_for_the_world_is_checked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 1_000_000))
    with pytest.raises(ResourceError, match="are needed"):
        fetch(tmp_path)


def test_the_bound_on_the_size_holds(first: Path, tmp_path: Path) -> None:
    size = read_manifest(first / "raw").groupby("acquisition")["size"].sum()
    for name in ENTRIES:
        delivery = simulated.SimulatedSource.open(load_entry(name), SMALL, parameters(tmp_path)).deliver()
        assert size[name] <= getattr(delivery, "size_bound", 0)


def test_the_code_hash_sees_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "a.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = simulated.code_hash("pack")
    assert simulated.code_hash("pack") == before
    (tmp_path / "pack" / "a.py").write_text("x = 2\n")
    assert simulated.code_hash("pack") != before


def test_the_comparison_tool_is_no_part_of_the_world() -> None:
    command = "import components.download.__main__, components.simulation.release, sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    loaded = found.stdout.split()
    assert "components.simulation.release" in loaded
    assert not {"components.experiments.compare_simulation", "matplotlib"} & set(loaded)
