"""Scoring files: read strictly, doubts told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.contract.errors import BadDataError, ParameterError
from components.lib.metrics.counts import Counts
from components.lib.metrics.polygon_csv import read_polygon_csv
from components.lib.metrics.spacenet_f1 import score_csv

HEADER = "ImageId,BuildingId,PolygonWKT_Pix,Confidence"
BOX = '"POLYGON ((0 0, 20 0, 20 20, 0 20, 0 0))"'
CURVED = '"CURVEPOLYGON ((0 0, 20 0, 20 20, 0 20, 0 0))"'


def write(path: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(f"{row}\n" for row in (header, *rows)).encode(encoding))
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return write(tmp_path / "truth.csv", f"dock_1,0,{BOX}", header="ImageId,BuildingId,PolygonWKT_Pix")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ((f"a,0,{BOX},0.5,",), "line 2: 5 fields, header 4"),
        ((f"a,0,{BOX},0.5", f"a,0,{BOX}"), "line 3: 3 fields, header 4"),
        ((f"a,0,{BOX},0.5", f"a,0,{BOX},0.5,1,2,3"), "line 3: 7 fields, header 4"),
        ((f'"a\nb",0,{BOX},0.5', f"a,0,{BOX},0.5,"), "line 4: 5 fields, header 4"),
        ((f"a,0,{BOX},0.5", f",0,{BOX},0.5"), "line 3: ImageId is blank"),
        ((f" \t,0,{BOX},0.5",), "line 2: ImageId is blank"),
        ((f"{'a' * 300},0,{BOX},0.5",), "line 2: ImageId .* is no id of a tile"),
        ((f"a\x07,0,{BOX},0.5",), "line 2: ImageId .* is no id of a tile"),
        ((f"a,{'0' * 5000},{BOX},0.5",), "line 2: BuildingId has 5,000 characters"),
        (("a,0,POINT (1 1),0.5",), "line 2: 'POINT .1 1.' is not valid WKT of a POLYGON"),
        (("a,0,,0.5",), "line 2: '' is not valid WKT"),
        (("a,0,GEOMETRYCOLLECTION EMPTY,0.5",), "line 2: 'GEOMETRYCOLLECTION EMPTY' is not valid WKT"),
        ((f"a,0,{BOX},0.5", f"a,1,{CURVED},1"), "line 3: 'CURVEPOLYGON .* is not valid WKT"),
        ((f"a,0,{BOX},",), "line 2: confidence '' is not a number"),
        ((f"a,0,{BOX},1_0",), "line 2: confidence '1_0' is not a number"),
        ((f"a,0,{BOX},1e999",), "line 2: confidence '1e999' is not a number"),
    ],
)
def test_a_row_that_is_not_what_the_header_says_is_refused(
    rows: tuple[str, ...], says: str, tmp_path: Path
) -> None:
    with pytest.raises(BadDataError, match=rf"proposals\.csv, {says}"):
        read_polygon_csv(write(tmp_path / "proposals.csv", *rows))


@pytest.mark.parametrize(
    ("header", "encoding", "says"),
    [
        ("ImageId,imageid,PolygonWKT_Pix,Confidence", "utf-8", "'ImageId' twice"),
        ("ImageId;BuildingId;PolygonWKT_Pix;Confidence", "utf-8", "is separated by semicolons"),
        (HEADER, "utf-16", "UTF-16"),
        ("ImageId,Bürger,PolygonWKT_Pix,Confidence", "cp1252", "no UTF-8"),
    ],
)
def test_a_wrong_header_or_encoding_is_refused(header: str, encoding: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path / "proposals.csv", f"a,0,{BOX},1", header=header, encoding=encoding)
    with pytest.raises(BadDataError, match=rf"proposals\.csv.*{says}"):
        read_polygon_csv(path)


def test_ids_are_stripped_of_blanks(truth: Path, tmp_path: Path) -> None:
    proposals = write(tmp_path / "p.csv", f" dock_1 \t,0,{BOX},0.5", encoding="utf-8-sig")
    assert score_csv(truth, proposals) == Counts(1, 0, 0)


@pytest.mark.parametrize("min_area", [float("inf"), float("nan"), -1.0])
def test_a_least_area_that_is_no_area_is_refused(min_area: float, truth: Path) -> None:
    with pytest.raises(ParameterError, match="min_area"):
        score_csv(truth, truth, min_area)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (f"dock_1.tif,0,{BOX},0.5", "share no ImageId: .*'dock_1'.*'dock_1.tif'; without their file endings"),
        (f"DOCK_1,0,{BOX},0.5", "share no ImageId: .*in lower case they would"),
        (
            f"dock_1,0,{BOX},0.5\ndock_1.tif,1,{BOX},0.5",
            "1 of the 2 tiles of the proposals are not in",
        ),
        (f"dock_1,0,{BOX},0.5\ndock_1.tif,1,{BOX},0.5", "'dock_1.tif': .*without their file endings"),
        (
            'dock_1,0,"POLYGON ((0 0, 0 -20, 20 -20, 20 0, 0 0))",0.5',
            "1 of the 1 polygons .*have no positive",
        ),
        (f"quay,0,{BOX},0.5", "share no ImageId"),
        (
            'dock_1,0,"POLYGON ((4.3501 51.9001, 4.3504 51.9001, 4.3504 51.9003, 4.3501 51.9001))",1',
            "proposals is a pixel wide .* longitude and latitude",
        ),
        (
            'dock_1,0,"POLYGON ((592000 5750000, 592020 5750000, 592020 5750020, 592000 5750000))",1',
            "proposals have coordinates up to 5,750,020, which cannot be pixels",
        ),
        (
            'dock_1,0,"POLYGON ((0 0, 5 0, 5 5, 0 0))",1',
            "every polygon of the proposals falls below",
        ),
        ("dock_1,0,POLYGON EMPTY,1", ""),
        (f"dock_1,0,{BOX},0.5", ""),
    ],
)
def test_signs_of_other_tiles_or_units_are_told(row: str, says: str, truth: Path, tmp_path: Path) -> None:
    told: list[str] = []
    score_csv(truth, write(tmp_path / "p.csv", row), tell=told.append)
    assert bool(told) == bool(says)
    assert re.search(says, "".join(told))
