"""SIGKILL in mid-object, through the command a user types; the next run fetches only what is missing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from components.download.catalogue import CatalogueEntry
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from tests.download.endpoint import BUCKET, ROOT, Fault, Proxy, Seen, put
from tests.download.release import entry, release, tarball, write_world

SOURCE = f"s3://{BUCKET}/{ROOT}"
MIB = 1 << 20


def start(folder: Path, repository: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "components.download"),
            *("--params", str(folder / "params.yaml"), "--catalogue", str(folder / "catalogue")),
            *("--output", str(folder / "raw"), "--staging", str(folder / "staging")),
        ],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_after(
    proxy: Proxy, process: subprocess.Popen[str], journal: Path, ranges: int
) -> set[tuple[str, int, int]]:
    """Let ``ranges`` ranges through, hold the next ones, kill; the finished ranges of the journal."""
    hold, passed, lock = threading.Event(), [0], threading.Lock()

    def gate(seen: Seen) -> Fault | None:
        with lock:
            if seen.range is not None:
                passed[0] += 1
            return Fault(hold=hold) if passed[0] > ranges else None

    proxy.fault = gate
    done: set[tuple[str, int, int]] = set()
    deadline = time.monotonic() + 60
    while len(done) < ranges:
        assert time.monotonic() < deadline, "the ranges before the gate never arrived"
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
        done = finished(journal)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    proxy.fault = lambda _: None
    hold.set()
    return finished(journal)


def finished(journal: Path) -> set[tuple[str, int, int]]:
    """``(key, start, stop)`` of the journal's whole lines."""
    if not journal.exists():
        return set()
    lines = [line for line in journal.read_text().splitlines(keepends=True) if line.endswith("\n")]
    ranges = [json.loads(line) for line in lines]
    return {(json.loads(identity)[0].removeprefix(f"s3://{BUCKET}/"), a, b) for identity, a, b in ranges}


def resume_and_compare(
    folder: Path, repository: Path, proxy: Proxy, done: set[tuple[str, int, int]], total: int
) -> None:
    proxy.log = []
    process = start(folder, repository)
    errors = process.communicate(timeout=120)[1]
    assert process.returncode == 0, errors
    again = [seen for seen in proxy.ranged if seen.range is not None]
    for seen in again:
        assert seen.range is not None
        for key, start_byte, stop_byte in done:
            overlap = seen.key == key and seen.range[0] < stop_byte and start_byte < seen.range[1]
            assert not overlap, f"{key} {seen.range} was there already"
    assert proxy.body_bytes == total - sum(b - a for _, a, b in done)


@pytest.fixture
def one(bucket: str) -> CatalogueEntry:
    del bucket
    return entry(SOURCE)


def test_killed_in_mid_object_resumes_behind_the_finished_ranges(
    tmp_path: Path, repository: Path, proxy: Proxy, one: CatalogueEntry
) -> None:
    files = release(tiles=2, sar_bytes=5 * MIB + 77)
    put(proxy.upstream, files)
    write_world(tmp_path, [one], endpoint_url=proxy.url, shard_mib=64)
    # Two optical tiles come first, then the SAR tiles of six ranges each: the kill falls into a SAR object.
    done = kill_after(
        proxy, start(tmp_path, repository), tmp_path / "staging" / "tiny" / "partial" / "journal", 5
    )
    partly = [key for key, start_byte, _ in done if "SAR-Intensity" in key and start_byte > 0]
    assert partly, "the kill fell into an object"
    assert not (tmp_path / "raw").exists()
    resume_and_compare(tmp_path, repository, proxy, done, sum(map(len, files.values())))
    expected = {path.split("/")[-1]: content for path, content in files.items()}
    with ShardReader(tmp_path / "raw/p00") as reader:
        rows = list(read_manifest(tmp_path / "raw/p00").itertuples())
        assert {str(row.name): reader.read(row) for row in rows} == expected


def test_a_killed_tarball_resumes_too(
    tmp_path: Path, repository: Path, proxy: Proxy, one: CatalogueEntry
) -> None:
    files = release(tiles=2, sar_bytes=2 * MIB)
    packed = tarball(files)
    put(proxy.upstream, {"tarballs/t.tar.gz": packed})
    write_world(tmp_path, [one.model_copy(update={"archive": "tarballs/t.tar.gz"})], endpoint_url=proxy.url)
    journal = tmp_path / "staging" / "tiny" / "partial" / "journal"
    done = kill_after(proxy, start(tmp_path, repository), journal, 2)
    assert 0 < len(done) < 5
    resume_and_compare(tmp_path, repository, proxy, done, len(packed))
    assert len(read_manifest(tmp_path / "raw/p00")) == len(files)
