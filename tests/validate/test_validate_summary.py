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
        found, failures = read_summaries(read_manifest(raw), reader.read)
    read = {name: value.orientations for name, value in found.items()}
    return {name: dict(value.flags) for name, value in read.items() if value is not None}, failures


def test_flags_are_read_by_acquisition(release: Release, tmp_path: Path) -> None:
    assert summaries(tmp_path, release) == ({"tiny": {STRIPS[0]: 0, STRIPS[1]: 1}}, [])


@pytest.mark.parametrize("content", [b"no flags here at all\n", f"{STRIPS[0]} 0\n{STRIPS[0]} 1\n".encode()])
def test_a_file_without_a_flag_that_is_clear_is_reported_once(
    content: bytes, release: Release, tmp_path: Path
) -> None:
    release.files["SAR_orientations.txt"].content = content
    flags, failures = summaries(tmp_path, release)
    assert flags == {}
    assert [(f.rule, f.subject) for f in failures] == [("summary_file", "tiny")]
    assert "SAR_orientations.txt line" in failures[0].reason


def test_a_malformed_line_costs_its_strip_only(
    release: Release, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    release.files["SAR_orientations.txt"].content = f"{STRIPS[0]} north\n{STRIPS[1]} 1\n".encode()
    assert summaries(tmp_path, release) == ({"tiny": {STRIPS[1]: 1}}, [])
    assert f"line 1: '{STRIPS[0]} north' is not '<strip> <0|1>'" in caplog.text


def test_a_checksum_mismatch_of_any_summary_file_is_reported(release: Release, tmp_path: Path) -> None:
    name = "SN6_Train_AOI_11_Rotterdam_Buildings.csv"
    release.files[name] = Listed("Summary", "", -1, b"ImageId\n", sha256="0" * 64)
    flags, failures = summaries(tmp_path, release)
    assert set(flags) == {"tiny"}
    assert [name in failure.reason for failure in failures] == [True]


def test_text_saved_on_windows_is_read(release: Release, tmp_path: Path) -> None:
    flags = release.files["SAR_orientations.txt"]
    flags.content = b"\xef\xbb\xbf" + flags.content.replace(b"\n", b"\r\n")
    assert summaries(tmp_path, release) == ({"tiny": {STRIPS[0]: 0, STRIPS[1]: 1}}, [])


def test_rows_of_the_summary_that_cannot_be_read_are_counted_by_tile(
    release: Release, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = (
        "ImageId,TileBuildingId,PolygonWKT_Pix,Mean_Building_Height\r\n"
        'a,0,"POLYGON ((0 0, 4 0, 4 4, 0 0))",3\r\n'
        'b,0,"CURVEPOLYGON (CIRCULARSTRING (4 4, 5 5, 7 4, 5 2, 4 4))",3\r\n'
        f"c,0,{'GEOMETRYCOLLECTION(' * 200_000},3\r\n"
        "d,0,POLYGON EMPTY\r\n"
        ",0,POLYGON EMPTY,\r\n"
    )
    name = "SN6_Train_AOI_11_Rotterdam_Buildings.csv"
    release.files[name] = Listed("Summary", "", -1, b"\xef\xbb\xbf" + rows.encode())
    write_release(tmp_path, release)
    with ShardReader(tmp_path) as reader:
        found, failures = read_summaries(read_manifest(tmp_path), reader.read)
    assert failures == []
    assert {key: labels.dropped for key, labels in found["tiny"].buildings.items()} == {
        "a": 0,
        "b": 1,
        "c": 1,
        "d": 1,
        "": 0,
    }
    assert "1 rows name no tile" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no,table\n1,2\n", b'ImageId,PolygonWKT_Pix\n"a', b"\xff\xfea\0"])
def test_a_summary_that_preparing_refuses_is_reported(
    content: bytes, release: Release, tmp_path: Path
) -> None:
    name = "SN6_Train_AOI_11_Rotterdam_Buildings.csv"
    release.files[name] = Listed("Summary", "", -1, content)
    _, failures = summaries(tmp_path, release)
    assert [(f.rule, name in f.reason) for f in failures] == [("summary_file", True)]
