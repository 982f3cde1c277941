"""Summary files: the orientation flags, and what makes them unusable."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from components.validate.rules import SetFailure
from components.validate.summary import read_summaries
from tests.validate.conftest import STRIPS, Listed, Release, write_release


def summaries(raw: Path, release: Release) -> tuple[dict[str, dict[str, int]], list[SetFailure]]:
    write_release(raw, release)
    with ShardReader(raw) as reader:
        flags, failures = read_summaries(read_manifest(raw), reader.read)
    return {name: dict(value) for name, value in flags.items()}, failures


def test_flags_are_read_by_acquisition(release: Release, tmp_path: Path) -> None:
    assert summaries(tmp_path, release) == ({"tiny": {STRIPS[0]: 0, STRIPS[1]: 1}}, [])


@pytest.mark.parametrize("content", [b"no flags here at all\n", f"{STRIPS[0]} 0\n{STRIPS[0]} 1\n".encode()])
def test_a_malformed_or_contradicting_file_is_reported_once(
    content: bytes, release: Release, tmp_path: Path
) -> None:
    release.files["SAR_orientations.txt"].content = content
    flags, failures = summaries(tmp_path, release)
    assert flags == {}
    assert [(f.rule, f.subject) for f in failures] == [("summary_file", "tiny")]
    assert "SAR_orientations.txt line" in failures[0].reason


def test_a_checksum_mismatch_of_any_summary_file_is_reported(release: Release, tmp_path: Path) -> None:
    name = "SN6_Train_AOI_11_Rotterdam_Buildings.csv"
    release.files[name] = Listed("Summary", "", -1, b"ImageId\n", sha256="0" * 64)
    flags, failures = summaries(tmp_path, release)
    assert set(flags) == {"tiny"}
    assert [name in failure.reason for failure in failures] == [True]
