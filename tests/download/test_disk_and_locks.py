"""A full disk, before and during the transfer, and two processes on one acquisition."""

from __future__ import annotations

import fcntl
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from components.contract.errors import ResourceError
from components.download.acquire import acquire
from components.download.catalogue import CatalogueEntry
from components.download.parameters import DownloadParameters
from components.lib.shards.manifest import read_manifest
from tests.download.release import entry, release, tarball, write_world
from tests.download.test_mirror import lay_out

SMALL = DownloadParameters(part_mib=1, shard_mib=64, workers=2, attempts=2)


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture(params=["folder", "tarball"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> CatalogueEntry:
    """A mirror of about 3 MB."""
    files = release(tiles=2, sar_bytes=1_400_000)
    if request.param == "folder":
        return entry(f"file://{lay_out(tmp_path / 'mirror', files)}")
    (tmp_path / "t.tar.gz").write_bytes(tarball(files))
    return entry(f"file://{tmp_path}/t.tar.gz")


def test_room_is_checked_before_the_first_byte(
    tmp_path: Path, source: CatalogueEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 2_000_000))
    with pytest.raises(ResourceError, match=r"0\.00 GB are needed, 0\.00 GB are free"):
        acquire(source, SMALL, staging_root=tmp_path / "staging")
    assert not list((tmp_path / "staging").rglob("shard-*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB, where the machine lets us mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if mount is None or os.geteuid() != 0 or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_on_the_way(
    small_disk: Path, tmp_path: Path, source: CatalogueEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another program takes the room after the check: the check sees plenty.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    with pytest.raises(ResourceError, match=r"No space left on device\n  next step: free some space"):
        acquire(source, SMALL, staging_root=small_disk)
    assert not list(small_disk.rglob("shards/*"))
    # With room, the same staging folder goes on.
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    shards = acquire(source, SMALL, staging_root=small_disk)
    assert sum(len(shard.rows) for shard in shards) == len(release(tiles=2))


def test_the_command_tells_a_full_disk_in_two_lines(tmp_path: Path, repository: Path) -> None:
    root = lay_out(tmp_path / "mirror", release(tiles=2, sar_bytes=1_400_000))
    write_world(tmp_path, [entry(f"file://{root}")], shard_mib=64)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    command = [
        *(sys.executable, "-m", "components.download"),
        *("--params", str(tmp_path / "params.yaml"), "--catalogue", str(tmp_path / "catalogue")),
        *("--output", str(tmp_path / "raw"), "--staging", str(tmp_path / "staging")),
    ]
    environment = {**os.environ, "STORMSIGHT_LOG": "ERROR"}
    result = subprocess.run(
        command,
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
    )
    assert result.returncode == ResourceError.exit_code
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr
    assert "File too large" in result.stderr
    assert "next step: free some space" in result.stderr
    assert not (tmp_path / "raw").exists()
    assert subprocess.run(command, cwd=repository, env=environment, check=False).returncode == 0
    assert len(read_manifest(tmp_path / "raw/p00")) == len(release(tiles=2))


def test_a_second_process_is_kept_out(tmp_path: Path, source: CatalogueEntry) -> None:
    (tmp_path / "staging" / "tiny").mkdir(parents=True)
    with (tmp_path / "staging" / "tiny" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ResourceError, match="tiny: another process is fetching it"):
            acquire(source, SMALL, staging_root=tmp_path / "staging")
    assert acquire(source, SMALL, staging_root=tmp_path / "staging")
