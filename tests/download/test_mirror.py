"""``file://``: a folder in the real layout, or the tarball."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, ParameterError, SourceUnavailableError
from components.download.acquire import acquire
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.download.publish import publish
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from tests.download.release import PREFIX, STRAY, STRIPS, entry, release, tarball

SMALL = DownloadParameters(part_mib=1, shard_mib=1, workers=2, attempts=2)


def lay_out(root: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        if not path.endswith("/"):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
    return root


def fetch(tmp_path: Path, one: CatalogueEntry, parameters: DownloadParameters = SMALL) -> dict[str, bytes]:
    publish({one.id: acquire(one, parameters, staging_root=tmp_path / "staging")}, tmp_path / "raw")
    with ShardReader(tmp_path / "raw") as reader:
        return {str(row.name): reader.read(row) for row in read_manifest(tmp_path / "raw").itertuples()}


def by_name(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path.split("/")[-1]: content for path, content in files.items()}


def test_a_folder_in_the_release_layout(tmp_path: Path) -> None:
    files = release(sar_bytes=1_500_000)
    root = lay_out(tmp_path / "mirror", {**files, **STRAY})
    assert fetch(tmp_path, entry(f"file://{root}")) == by_name(files)
    manifest = read_manifest(tmp_path / "raw").set_index("name")
    name = f"SN6_Train_AOI_11_Rotterdam_PS-RGB_{STRIPS[1]}_tile_8001.tif"
    row = manifest.loc[name]
    assert (row["product"], row["strip"], row["tile"]) == ("PS-RGB", STRIPS[1], 8001)
    assert row["sha256"] == hashlib.sha256(files[f"{PREFIX}PS-RGB/{name}"]).hexdigest()
    assert row["source"] == f"file://{root}/{PREFIX}PS-RGB/{name}"


def test_a_relative_path_starts_at_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(tmp_path / "mirror", release())
    monkeypatch.chdir(tmp_path)
    assert fetch(tmp_path, entry("file://mirror")) == by_name(release())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_tarball_is_read_in_place(tmp_path: Path, zipped: bool) -> None:
    packed = tarball(release(), zipped)
    (tmp_path / "t.tar").write_bytes(packed)
    assert fetch(tmp_path, entry(f"file://{tmp_path}/t.tar")) == by_name(release())
    assert not list((tmp_path / "staging").rglob("archive"))


def test_the_tarball_below_an_incomplete_folder_is_taken(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "mirror", {"tarballs/t.tar.gz": tarball(release())})
    assert fetch(tmp_path, entry(f"file://{root}", archive="tarballs/t.tar.gz")) == by_name(release())


@pytest.mark.parametrize("given_as", ["folder", "file"])
def test_the_checksum_of_a_tarball_is_enforced(tmp_path: Path, given_as: str) -> None:
    root = lay_out(tmp_path / "mirror", {"tarballs/t.tar.gz": tarball(release())})
    source = f"file://{root}" if given_as == "folder" else f"file://{root}/tarballs/t.tar.gz"
    known = [{"key": "tarballs/t.tar.gz", "md5": "0" * 32}]
    with pytest.raises(BadDataError, match=r"t\.tar\.gz: md5"):
        fetch(tmp_path, entry(source, archive="tarballs/t.tar.gz", objects=known))
    assert not (tmp_path / "raw").exists()


def test_a_hostile_tarball_leaves_nothing_behind(tmp_path: Path) -> None:
    packed = tarball({**release(), "../evil.tif": b"evil"})
    (tmp_path / "t.tar.gz").write_bytes(packed)
    with pytest.raises(BadDataError, match=r"t\.tar\.gz: member '\./\.\./evil\.tif' leaves"):
        fetch(tmp_path, entry(f"file://{tmp_path}/t.tar.gz"))
    assert not (tmp_path / "raw").exists()
    assert not list(tmp_path.rglob("evil*"))


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = release(tiles=4, sar_bytes=1_100_000)
    root = lay_out(tmp_path / "mirror", files)
    one = entry(f"file://{root}")
    fetch(tmp_path, one)
    before = {path.name: path.stat().st_ino for path in (tmp_path / "raw" / "tiny").iterdir()}
    changed = next(path for path in files if "tile_8002" in path and "SAR" in path)
    files[changed] = b"new" * 1000
    (root / changed).write_bytes(files[changed])
    assert fetch(tmp_path, one) == by_name(files)
    after = {path.name: path.stat().st_ino for path in (tmp_path / "raw" / "tiny").iterdir()}
    assert before["shard-000.tar"] == after["shard-000.tar"], "hard-linked, not copied again"
    assert before != after


def test_staged_shards_that_were_tampered_with_are_made_anew(tmp_path: Path) -> None:
    files = release()
    one = entry(f"file://{lay_out(tmp_path / 'mirror', files)}")
    fetch(tmp_path, one)
    shard = tmp_path / "staging" / "tiny" / "shards" / "shard-000.tar"
    content = shard.read_bytes()
    os.utime(shard)  # touched only: the bytes decide
    inode = shard.stat().st_ino
    assert fetch(tmp_path, one) == by_name(files)
    assert shard.stat().st_ino == inode
    shard.write_bytes(content[:20_000] + b"!" + content[20_001:])
    assert fetch(tmp_path, one) == by_name(files)
    assert shard.stat().st_ino != inode
    (shard.parent / "shard-000.json").write_text("{")
    assert fetch(tmp_path, one) == by_name(files)


@pytest.mark.parametrize("what", ["shard", "journal", "partial"])
def test_a_tidied_staging_folder_costs_a_transfer_never_wrong_bytes(tmp_path: Path, what: str) -> None:
    files = release(tiles=1, sar_bytes=3_000_000)
    root = lay_out(tmp_path / "mirror", files)
    one = entry(f"file://{root}", objects=[{"key": next(iter(files)), "md5": "0" * 32}])
    with pytest.raises(BadDataError, match="without the checksum"):
        fetch(tmp_path, one)
    partial = tmp_path / "staging" / "tiny" / "partial"
    assert (partial / "shard-000.tar").exists()
    if what == "partial":
        shutil.rmtree(partial)
    else:
        (partial / ("shard-000.tar" if what == "shard" else "journal")).unlink()
    right = hashlib.md5(files[next(iter(files))], usedforsecurity=False).hexdigest()
    one = entry(f"file://{root}", objects=[{"key": next(iter(files)), "md5": right}])
    assert fetch(tmp_path, one) == by_name(files)


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("PS-RGB", r"has no PS-RGB file below train/AOI_11_Rotterdam/"),
        ("SummaryData", "has no Summary file"),
        ("tile_8002", "has 2 of 3 tiles"),
    ],
)
def test_an_incomplete_mirror_is_refused(tmp_path: Path, drop: str, message: str) -> None:
    files = {path: content for path, content in release().items() if drop not in path}
    with pytest.raises(BadDataError, match=message):
        fetch(tmp_path, entry(f"file://{lay_out(tmp_path / 'mirror', files)}", tiles=3))
    (tmp_path / "t.tar.gz").write_bytes(tarball(files))
    with pytest.raises(BadDataError, match=message):
        fetch(tmp_path, entry(f"file://{tmp_path}/t.tar.gz", tiles=3))


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    files = release(tiles=1)
    path = next(iter(files))
    files[path.replace("train/", "train/AOI_11_Rotterdam/again/", 1)] = b"other"
    with pytest.raises(BadDataError, match=r"SAR-Intensity.*tile_8000\.tif comes twice, as .* and "):
        fetch(tmp_path, entry(f"file://{lay_out(tmp_path / 'mirror', files)}"))
    (tmp_path / "t.tar.gz").write_bytes(tarball(files))
    with pytest.raises(BadDataError, match="comes twice"):
        fetch(tmp_path, entry(f"file://{tmp_path}/t.tar.gz"))


def test_an_absent_mirror_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailableError, match="nowhere does not exist"):
        fetch(tmp_path, entry(f"file://{tmp_path}/nowhere"))


@pytest.mark.parametrize("mirror", ["simulate://world", "/just/a/path", "http://x/y"])
def test_mirrors_of_other_kinds_are_refused(tmp_path: Path, mirror: str) -> None:
    parameters = SMALL.model_copy(update={"mirrors": {"tiny": mirror}})
    with pytest.raises(ParameterError, match=r"download\.mirrors\.tiny: .* is neither s3:// nor file://"):
        fetch(tmp_path, entry("s3://bucket/x/"), parameters)


def test_the_real_sample_tile_arrives_unchanged(tmp_path: Path, real_data: Path) -> None:
    tile = next((real_data / "spacenet6" / "tile").iterdir())
    orientations = real_data / "spacenet6" / "catalogue" / "SAR_orientations.txt"
    for source, folder in ((tile, "PS-RGB"), (orientations, "SummaryData")):
        (tmp_path / "mirror" / PREFIX / folder).mkdir(parents=True)
        shutil.copy(source, tmp_path / "mirror" / PREFIX / folder)
    found = fetch(tmp_path, entry(f"file://{tmp_path}/mirror", products=["PS-RGB", "Summary"]))
    assert found == {path.name: path.read_bytes() for path in (tile, orientations)}
