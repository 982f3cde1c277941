"""The OpenStreetMap extract is looked at before the first stage: file, format, coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.check.findings import Findings
from components.check.osm import check_extract
from components.contract.documents import read_yaml
from components.osm.parameters import OsmParameters
from tests.check.conftest import Check, edit
from tests.conftest import ROOT

GEOJSON = b'{"type": "FeatureCollection", "features": []}'
PBF = b"\0\0\0\x0d\x0a\x09OSMHeader"


def found(root: Path, content: bytes | None, **extract: Any) -> Findings:
    if content is not None:
        (root / "x.osm").write_bytes(content)
    declared = {"path": "x.osm", "sha256": "0" * 64, "source": "a mirror", "date": "2019-08-01", **extract}
    roads = {"widths_m": {"primary": 6.0}}
    osm = OsmParameters.model_validate({"tasks": ["roads"], "extract": declared, "roads": roads})
    findings = Findings()
    check_extract(osm, root, findings)
    return findings


MISTAKES: list[tuple[bytes | None, dict[str, Any], int, str]] = [
    (None, {}, 66, "osm.extract.path: the file x.osm does not exist"),
    (GEOJSON, {}, 78, "osm.extract.coverage: nothing says which ground x.osm covers"),
    (b"<osm/>", {}, 65, "x.osm is neither OpenStreetMap PBF, GeoPackage nor GeoJSON"),
    (PBF, {"layers": ["lines"]}, 78, "osm.extract.layers names lines, and x.osm is PBF"),
]


@pytest.mark.parametrize(("content", "extract", "code", "words"), MISTAKES)
def test_a_mistake_is_named(
    content: bytes | None, extract: dict[str, Any], code: int, words: str, tmp_path: Path
) -> None:
    findings = found(tmp_path, content, **extract)
    assert findings.exit_code == code
    assert words in findings.text()


def test_what_fits_has_no_mistake_and_the_hash_is_left_to_the_stage(tmp_path: Path) -> None:
    assert not found(tmp_path, GEOJSON, coverage=(4.0, 51.0, 5.0, 52.0)).errors
    assert not found(tmp_path, PBF).errors


def test_the_command_names_an_extract_that_is_not_there(pipeline: Path, check: Check) -> None:
    edit(
        pipeline,
        ("osm:\n  tasks: []  ", "osm:\n  tasks: [roads]  "),
        ("    path: null  ", "    path: nowhere.geojson  "),
        ("    sha256: null  ", f"    sha256: '{'0' * 64}'  "),
        ("    source: null  ", "    source: a mirror  "),
        ("    date: null  ", "    date: '2019-08-01'  "),
    )
    code, printed = check()
    assert (code, "osm.extract.path: the file nowhere.geojson does not exist" in printed) == (66, True)


def test_the_section_that_the_document_shows_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs/methods/osm.md").read_text("utf-8").split("```yaml\n")[1].split("```")[0]
    (tmp_path / "osm.yaml").write_text(text.replace("<64 digits>", f"'{'0' * 64}'"))
    section = read_yaml(tmp_path / "osm.yaml")["osm"]
    osm = OsmParameters.model_validate({**section, "roads": {"widths_m": {"primary": 6.0}}})
    assert osm.extract.date == "2019-08-01"
    assert osm.extract.coverage is not None
