"""Publication of a partition: put in place whole, its shards linked or copied."""

from __future__ import annotations

import errno
import os
import tarfile
from pathlib import Path

import pytest

from components.contract.errors import ResourceError
from components.download.publish import publish
from components.download.staging import FinishedShard
from components.lib.shards.manifest import FileRow, read_manifest
from components.lib.shards.packing import shard_name
from components.lib.shards.reader import ShardReader
from components.lib.shards.writer import ShardWriter


def finished(folder: Path, acquisition: str, count: int) -> list[FinishedShard]:
    """``count`` shards of two files each."""
    shards = []
    for index in range(count):
        rows = []
        with ShardWriter(folder / acquisition / str(index)) as writer:
            for part in ("a", "b"):
                name = f"{acquisition}-{index}-{part}"
                written = writer.add(f"PS-RGB/{name}", f"content of {name}".encode() * (index + 1))
                rows.append(
                    FileRow(
                        acquisition=acquisition,
                        sensor="capella-airborne",
                        name=name,
                        product="PS-RGB",
                        strip="s",
                        tile=index,
                        size=written.slot.size,
                        sha256=written.sha256,
                        source="file:///x",
                        shard=f"{acquisition}/{shard_name(index)}",
                        offset=written.slot.offset,
                    )
                )
        shards.append(FinishedShard(folder / acquisition / str(index) / shard_name(0), tuple(rows)))
    return shards


def check(raw: Path, acquisitions: dict[str, list[FinishedShard]]) -> int:
    """Every file is readable by the manifest and by tarfile; the number of shards."""
    manifest = read_manifest(raw)
    assert len(manifest) == sum(len(s.rows) for shards in acquisitions.values() for s in shards)
    with ShardReader(raw) as reader:
        for row in manifest.itertuples():
            assert reader.read(row).startswith(f"content of {row.name}".encode())
    names = set()
    for path in raw.rglob("*.tar"):
        with tarfile.open(path, "r:") as tar:
            names |= {member.name.split("/")[1] for member in tar}
    assert names == set(manifest["name"])
    assert {str(p.relative_to(raw)) for p in raw.rglob("*.tar")} == set(manifest["shard"])
    return len(list(raw.rglob("*.tar")))


@pytest.mark.parametrize("counts", [(), (3, 2), (70, 3, 1), (1,) * 65])
def test_every_acquisition_keeps_its_own_shards(tmp_path: Path, counts: tuple[int, ...]) -> None:
    """There is no limit on acquisitions, and what one adds changes no shard of the others."""
    acquisitions = {f"acq{i}": finished(tmp_path, f"acq{i}", count) for i, count in enumerate(counts)}
    publish(acquisitions, tmp_path / "raw")
    assert check(tmp_path / "raw", acquisitions) == sum(counts)
    shards = {
        path.relative_to(tmp_path / "raw"): path.read_bytes() for path in (tmp_path / "raw").rglob("*.tar")
    }
    more = {**acquisitions, "more": finished(tmp_path, "more", 1)}
    publish(more, tmp_path / "raw")
    assert check(tmp_path / "raw", more) == sum(counts) + 1
    assert all((tmp_path / "raw" / path).read_bytes() == content for path, content in shards.items())


def test_another_disk_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    acquisitions = {"a": finished(tmp_path, "a", 2)}
    publish(acquisitions, tmp_path / "raw")
    assert check(tmp_path / "raw", acquisitions) == 2
    assert next((tmp_path / "raw").rglob("*.tar")).stat().st_nlink == 1


def test_a_failure_leaves_the_old_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"a": finished(tmp_path, "a", 1)}
    publish(old, tmp_path / "raw")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    new = {"a": finished(tmp_path / "new", "a", 3)}
    monkeypatch.setattr("components.download.publish.write_manifest", full)
    with pytest.raises(ResourceError, match="cannot be written: no space"):
        publish(new, tmp_path / "raw")
    check(tmp_path / "raw", old)
    assert [path.name for path in tmp_path.iterdir() if "raw" in path.name] == ["raw"]


def test_an_acquisition_that_is_no_longer_wanted_leaves(tmp_path: Path) -> None:
    a, b = finished(tmp_path, "a", 1), finished(tmp_path, "b", 1)
    publish({"a": a, "b": b}, tmp_path / "raw")
    publish({"b": b}, tmp_path / "raw")
    check(tmp_path / "raw", {"b": b})
    assert not (tmp_path / "raw" / "a").exists()
