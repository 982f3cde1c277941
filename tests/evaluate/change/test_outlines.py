"""Files of changed buildings from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely

from components.contract.errors import BadDataError, MissingInputError, ParameterError
from components.evaluate.__main__ import main

CRS = "EPSG:32631"
EAST, NORTH = 593_000.0, 5_747_000.0


def table(
    *boxes: tuple[float, float, float, float], kinds: str = "", crs: str | None = CRS
) -> geopandas.GeoDataFrame:
    """Buildings (x, y, width, depth) in metres; their kinds by first letters."""
    outlines = [shapely.box(EAST + x, NORTH + y, EAST + x + w, NORTH + y + d) for x, y, w, d in boxes]
    names = {"a": "added", "r": "removed", "e": "enlarged"}
    columns = {"kind": [names[letter] for letter in kinds]} if kinds else {"number": range(len(boxes))}
    return geopandas.GeoDataFrame(columns, geometry=outlines, crs=crs)


TRUTH = table((0, 0, 10, 10), (50, 0, 10, 10), (100, 0, 10, 10), kinds="ara")
PREDICTION = table((1, 0, 10, 10), (50, 0, 10, 10), (200, 0, 10, 10), kinds="aaa")


def save(frame: geopandas.GeoDataFrame, path: Path) -> Path:
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".gpkg":
            frame.to_file(path, driver="GPKG")
        case _:
            path.write_text(frame.to_crs("EPSG:4326").to_json(drop_id=True))
    return path


def scored(truth: Path, prediction: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    main(["change", "--truth", str(truth), "--prediction", str(prediction), "--json", *more])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_golden_scores_of_footprints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two of three are found; by kinds, one of the two is of another kind."""
    truth, prediction = save(TRUTH, tmp_path / "t.parquet"), save(PREDICTION, tmp_path / "p.parquet")
    assert scored(truth, prediction, capsys) == {
        "kind": "footprints",
        "rules": {"iou": 0.5},
        "objects": {"tp": 2, "fp": 1, "fn": 1, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3},
        "kinds": {
            "added": {"tp": 1, "fp": 2, "fn": 1, "precision": 1 / 3, "recall": 1 / 2, "f1": 0.4},
            "removed": {"tp": 0, "fp": 0, "fn": 1, "precision": None, "recall": 0.0, "f1": 0.0},
        },
        "warnings": [],
    }
    assert scored(truth, prediction, capsys, "--iou", "0.9")["objects"]["tp"] == 1


@pytest.mark.parametrize("suffix", [".parquet", ".gpkg", ".geojson"])
@pytest.mark.parametrize("crs", [CRS, "EPSG:32632", "EPSG:4326"])
def test_other_files_and_crs_give_the_same(
    suffix: str, crs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = save(TRUTH, tmp_path / "t.gpkg")
    prediction = save(PREDICTION.to_crs(crs), tmp_path / f"p{suffix}")
    assert scored(truth, prediction, capsys)["objects"]["tp"] == 2
    assert scored(prediction, truth, capsys)["objects"]["tp"] == 2


def test_folders_of_changes_and_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "changes").mkdir()
    save(PREDICTION, tmp_path / "changes" / "changes.parquet")
    truth = save(TRUTH, tmp_path / "t.geojson")
    main(["change", "--truth", str(truth), "--prediction", str(tmp_path / "changes")])
    assert capsys.readouterr().out.splitlines()[1].split() == ["all", *["0.6667"] * 3, "2", "1", "1"]


def test_the_folder_of_a_published_map_is_its_footprints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "map" / "0123").mkdir(parents=True)
    (tmp_path / "map" / "item.json").write_text("{}")
    save(PREDICTION, tmp_path / "map" / "0123" / "footprints.parquet")
    assert scored(save(TRUTH, tmp_path / "t.gpkg"), tmp_path / "map", capsys)["objects"]["tp"] == 2


def test_one_file_without_a_crs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = table((0, 0, 10, 10), crs=None)
    truth, prediction = save(TRUTH, tmp_path / "t.parquet"), save(bare, tmp_path / "p.parquet")
    with pytest.raises(BadDataError, match=r"p\.parquet states no CRS"):
        scored(truth, prediction, capsys)
    assert "neither file states a CRS" in scored(prediction, prediction, capsys)["warnings"][1]


def test_what_is_no_file_of_footprints_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = save(TRUTH, tmp_path / "t.parquet")
    for name, content in (("p.parquet", b"PAR1 no"), ("p.gpkg", b"no"), ("p.geojson", b"{}")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadDataError, match=name.replace(".", r"\.")):
            scored(truth, tmp_path / name, capsys)
    with pytest.raises(MissingInputError, match=r"absent\.gpkg is missing"):
        scored(truth, tmp_path / "absent.gpkg", capsys)
    with pytest.raises(ParameterError, match="one holds footprints, the other does not"):
        scored(truth, tmp_path, capsys)
    lines = geopandas.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (1, 1)])], crs=CRS)
    with pytest.raises(BadDataError, match=r"lines\.parquet: 1 of its geometries are no polygons"):
        scored(truth, save(lines, tmp_path / "lines.parquet"), capsys)


def test_rows_without_a_kind_are_a_kind_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = PREDICTION.assign(kind=[None, *PREDICTION["kind"][1:]])
    found = scored(save(TRUTH, tmp_path / "t.parquet"), save(bare, tmp_path / "p.parquet"), capsys)
    assert found["objects"]["tp"] == 2
    assert found["kinds"]["not stated"]["fp"] == 1


def test_options_of_masks_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = save(TRUTH, tmp_path / "t.parquet")
    with pytest.raises(ParameterError, match="--threshold, --min-area: for masks only"):
        scored(truth, truth, capsys, "--threshold", "0.5", "--min-area", "80")


def test_what_may_not_be_meant_is_doubted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = save(TRUTH, tmp_path / "t.parquet")
    far = save(table((90_000, 0, 10, 10)), tmp_path / "far.parquet")
    nothing = save(TRUTH.iloc[:0], tmp_path / "none.parquet")
    assert scored(truth, truth, capsys)["warnings"] == ["truth and prediction are the same"]
    assert scored(truth, far, capsys)["warnings"] == [
        "truth and prediction show no common ground: is the CRS of both right?",
        f"only {truth} has kinds of change, so that nothing is scored by kind",
    ]
    assert scored(nothing, nothing, capsys)["warnings"][1:] == [
        "the truth has no building: recall is undefined",
        "the prediction has no building: precision is undefined",
    ]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("corners", [[], [(0, 0), (1, np.nan), (1, 0)]], ids=["empty", "NaN"])
def test_empty_and_numberless_polygons_are_refused(
    corners: list[tuple[float, float]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = save(TRUTH, tmp_path / "t.parquet")
    with np.errstate(invalid="ignore"):
        geometry = shapely.Polygon(corners)
    bad = geopandas.GeoDataFrame(geometry=[geometry], crs=CRS)
    bad.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(BadDataError, match="1 of its geometries are no polygons, empty, or beyond repair"):
        scored(truth, tmp_path / "p.parquet", capsys)
