"""The command line: what it lists, what it refuses, and with which exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from components.contract.errors import ParameterError
from components.contract.partitions import partition_of
from components.download.__main__ import main
from components.lib.shards.manifest import read_manifest
from tests.download.release import entry, release, write_world
from tests.download.test_mirror import lay_out


def call(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> int:
    options = {"params": "params.yaml", "catalogue": "catalogue", "output": "raw", "staging": "staging"}
    given = [item for name, file in options.items() for item in (f"--{name}", str(folder / file))]
    monkeypatch.setattr(sys, "argv", ["components.download", *given, *arguments])
    return main()


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A catalogue of two mirrors."""
    root = lay_out(tmp_path / "mirror", release())
    entries = [entry(f"file://{root}"), entry(f"file://{root}", id="other", products=["PS-RGB"])]
    write_world(tmp_path, entries)
    return tmp_path


def test_all_acquisitions_of_the_parameters(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, world) == 0
    manifest = read_manifest(world / "raw/p00")
    assert manifest.groupby("acquisition").size().to_dict() == {"other": 3, "tiny": 11}


def test_one_acquisition_by_name(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(monkeypatch, world, "--acquisition", "other") == 0
    assert set(read_manifest(world / "raw/p00")["acquisition"]) == {"other"}


def test_the_catalogue_is_listed(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, world, "--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["other", "real", "capella-airborne"],
        ["tiny", "real", "capella-airborne"],
    ]


def test_an_unknown_acquisition_names_the_nearest(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match=r"--acquisition: unknown acquisition 'othr'.*'other'"):
        call(monkeypatch, world, "--acquisition", "othr")


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"part_mb": 4}, r"download\.part_mb: unknown key; the nearest valid one is 'part_mib'"),
        ({"workers": 0}, r"download\.workers: .*greater than or equal to 1"),
        ({"mirrors": {"tyni": "file://x"}}, r"download\.mirrors: unknown acquisition 'tyni'.*'tiny'"),
    ],
)
def test_wrong_parameters_are_named(
    world: Path, monkeypatch: pytest.MonkeyPatch, section: dict[str, object], message: str
) -> None:
    path = world / "params.yaml"
    document = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**document, "download": section}))
    with pytest.raises(ParameterError, match=message):
        call(monkeypatch, world)


def test_a_typo_in_the_last_entry_costs_no_transfer(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world / "catalogue" / "other.yaml"
    path.write_text(path.read_text().replace("sensor: capella-airborne", "sensor: capella-spaceborne"))
    with pytest.raises(ParameterError, match="unknown sensor 'capella-spaceborne'"):
        call(monkeypatch, world)
    assert not (world / "staging").exists()


def test_staging_inside_the_output_is_refused(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParameterError, match="lies inside --output"):
        call(monkeypatch, world, "--staging", str(world / "raw" / "staging"))


def test_an_acquisition_lies_in_the_partition_of_its_id(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = world / "params.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "partitions": 4}))
    assert call(monkeypatch, world) == 0
    names = [f"p0{number}" for number in range(4)]
    whole = {name: set(read_manifest(world / "raw" / name)["acquisition"]) for name in names}
    assert whole == {name: {a for a in ("tiny", "other") if partition_of(a, names) == name} for name in names}
    assert set() in whole.values(), "an empty partition is a manifest without rows"
    before = {p: p.stat().st_ino for p in (world / "raw").rglob("*") if p.is_file()}
    mine = partition_of("tiny", names)
    assert call(monkeypatch, world, "--partition", mine) == 0
    renewed = {path for path, inode in before.items() if path.stat().st_ino != inode}
    assert renewed == {world / "raw" / mine / "manifest.parquet"}
    with pytest.raises(ParameterError, match="--partition: there is no partition 'p04'"):
        call(monkeypatch, world, "--partition", "p04")
