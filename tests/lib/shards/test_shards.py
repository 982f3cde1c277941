"""Shards: bounded in number, plain tars, the same bytes twice, read back by offset with a checksum."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.errors import BadDataError, MissingInputError
from components.contract.hashing import sha256_bytes
from components.lib.shards.manifest import MANIFEST, SCHEMA, FileRow, read_manifest, write_manifest
from components.lib.shards.packing import Packer, shard_name
from components.lib.shards.reader import ShardReader
from components.lib.shards.writer import ShardWriter

LONG = (
    "geojson_buildings/SN6_Train_AOI_11_Rotterdam_Buildings_20190822070610_20190822070846_tile_3721.geojson"
)


def contents() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(3)
    for index, size in enumerate([0, 1, 511, 512, 513, 4000, 20_000, 3]):
        yield f"PS-RGB/file_{index}.tif", rng.bytes(size)
    yield LONG, b"{}"


def write(raw: Path, target_bytes: int = 4096) -> list[FileRow]:
    rows: list[FileRow] = []
    with ShardWriter(raw / "acq", target_bytes=target_bytes) as shards:
        for name, content in contents():
            written = shards.add(name, content)
            rows.append(
                FileRow(
                    acquisition="acq",
                    sensor="capella-airborne",
                    name=name.split("/")[1],
                    product="PS-RGB",
                    strip="20190822070610_20190822070846",
                    tile=len(rows),
                    size=len(content),
                    sha256=written.sha256,
                    source="file:///x",
                    shard=f"acq/{shard_name(written.slot.shard)}",
                    offset=written.slot.offset,
                )
            )
    write_manifest(raw, rows)
    return rows


def test_offsets_agree_with_tarfile_and_the_reader(tmp_path: Path) -> None:
    rows = {row.name: row for row in write(tmp_path)}
    seen = {}
    for path in sorted((tmp_path / "acq").iterdir()):
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                handle = tar.extractfile(member)
                assert handle is not None
                seen[member.name] = handle.read()
                row = rows[member.name.split("/")[1]]
                assert (f"acq/{path.name}", member.offset_data, member.size) == (
                    row.shard,
                    row.offset,
                    row.size,
                )
                assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
    assert seen == dict(contents())
    expected = {name.split("/")[1]: content for name, content in contents()}
    manifest = read_manifest(tmp_path)
    with ShardReader(tmp_path) as reader:
        for _, series in manifest.iterrows():
            assert reader.read(series) == expected[series["name"]]
        for named in manifest.itertuples():
            assert reader.read(named) == expected[str(named.name)]
        for record in manifest.to_dict("records"):
            assert reader.read(record) == expected[record["name"]]
        assert reader.read(rows["file_5.tif"]) == expected["file_5.tif"]


def test_a_manifest_with_missing_values_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    table = pq.read_table(tmp_path / MANIFEST).to_pylist()
    table[0]["tile"] = None
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), tmp_path / MANIFEST)
    with pytest.raises(BadDataError, match=r"manifest\.parquet is not a manifest: rows without tile"):
        read_manifest(tmp_path)


def test_manifest_keeps_the_contract_of_types(tmp_path: Path) -> None:
    write(tmp_path)
    manifest = read_manifest(tmp_path)
    assert list(manifest.columns) == list(FileRow.__dataclass_fields__)
    assert manifest["tile"].dtype == np.int32
    assert manifest["size"].dtype == np.int64
    assert manifest["offset"].dtype == np.int64
    assert manifest["tile"].is_monotonic_increasing


def test_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in (tmp_path / "a").rglob("*.*")}
    second = {p.relative_to(tmp_path / "b"): p.read_bytes() for p in (tmp_path / "b").rglob("*.*")}
    assert len(first) > 3
    assert first == second


@given(
    sizes=st.lists(st.integers(0, 50_000), max_size=400),
    target=st.integers(1, 30_000),
    limit=st.integers(1, 64),
)
def test_never_more_shards_than_the_limit_and_no_overlap(sizes: list[int], target: int, limit: int) -> None:
    packer = Packer(target, limit)
    ends: dict[int, int] = {}
    for index, size in enumerate(sizes):
        slot = packer.place(f"f{index}", size)
        assert slot.start == ends.get(slot.shard, 0)
        assert slot.offset % 512 == 0
        ends[slot.shard] = slot.end
    assert list(ends) == list(range(len(ends)))
    assert len(ends) <= limit


def test_a_total_far_beyond_the_target_stays_within_64_shards() -> None:
    packer = Packer(1 << 30)
    used = {packer.place(f"f{i}", 13 << 20).shard for i in range(100_000)}  # 1.3 TB at 1 GiB
    assert len(used) == 64


def test_release_at_full_size_gives_about_the_target_size() -> None:
    packer = Packer(1 << 30)
    slots = [packer.place(f"f{i}", size) for i in range(3401) for size in (13 << 20, 2_400_000, 20_000)]
    assert 30 <= slots[-1].shard + 1 <= 64


def test_changed_bytes_are_refused_by_file_name(tmp_path: Path) -> None:
    row = write(tmp_path)[6]
    with (tmp_path / row.shard).open("r+b") as shard:
        shard.seek(row.offset + 100)
        shard.write(b"!")
    with pytest.raises(BadDataError, match=r"file_6\.tif: the checksum"):
        ShardReader(tmp_path).read(row)


def test_truncated_and_missing_shards_are_named(tmp_path: Path) -> None:
    row = write(tmp_path)[6]
    with (tmp_path / row.shard).open("r+b") as shard:
        shard.truncate(row.offset + 10)
    with pytest.raises(BadDataError, match=r"file_6\.tif: .* ends before"):
        ShardReader(tmp_path).read(row)
    (tmp_path / row.shard).unlink()
    with pytest.raises(MissingInputError, match=r"shard-\d{3}\.tar is missing"):
        ShardReader(tmp_path).read(row)


@pytest.mark.parametrize("shard", ["../secret", "/etc/hostname", "acq/../../secret"])
def test_rows_that_point_outside_are_refused(tmp_path: Path, shard: str) -> None:
    row = write(tmp_path / "raw")[1]
    (tmp_path / "secret").write_bytes(b"x" * 4096)
    with pytest.raises(BadDataError, match="lies outside"):
        ShardReader(tmp_path / "raw").read(replace(row, shard=shard, offset=0))


@pytest.mark.parametrize(("offset", "size"), [(-1, 4), (0, -4)])
def test_negative_positions_are_refused(tmp_path: Path, offset: int, size: int) -> None:
    row = write(tmp_path)[1]
    with pytest.raises(BadDataError, match="in the manifest"):
        ShardReader(tmp_path).read({**asdict(row), "offset": offset, "size": size})


def test_threads_share_a_reader(tmp_path: Path) -> None:
    rows = write(tmp_path)
    with ShardReader(tmp_path) as reader, ThreadPoolExecutor(8) as pool:
        results = list(pool.map(reader.read, rows * 50))
    assert [sha256_bytes(r) for r in results] == [row.sha256 for row in rows * 50]


@pytest.mark.parametrize("chunks", [[b"abc"], [b"abc", b"defg"]])
def test_a_content_of_another_size_than_announced_is_refused(tmp_path: Path, chunks: list[bytes]) -> None:
    with (
        pytest.raises(BadDataError, match="5 bytes were announced"),
        ShardWriter(tmp_path / "acq") as shards,
    ):
        shards.add_chunks("PS-RGB/a.tif", 5, chunks)


def test_a_manifest_with_a_text_that_would_fill_every_message_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    table = pq.read_table(tmp_path / MANIFEST).to_pylist()
    table[1]["shard"] = "x" * 70_000
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), tmp_path / MANIFEST)
    with pytest.raises(BadDataError, match="more than 4096 characters in shard") as caught:
        read_manifest(tmp_path)
    assert len(str(caught.value)) < 1000


def test_names_and_sizes_beyond_a_tar_header_are_refused(tmp_path: Path) -> None:
    with ShardWriter(tmp_path / "acq") as shards:
        with pytest.raises(BadDataError, match="does not fit a tar header"):
            shards.add("x" * 300, b"")
        with pytest.raises(BadDataError, match="does not fit a tar header"):
            shards.add_chunks("PS-RGB/a.tif", 8 << 30, [])


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="dvc repro download"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(BadDataError, match="is not a manifest"):
        read_manifest(tmp_path)
