from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.contract.errors import BadDataError, MissingInputError, ParameterError, StormsightError
from components.evaluate.__main__ import main
from components.lib.roads.graph.model import Floats
from tests.hostile import geojson
from tests.lib.roads.networks import GOLDEN, wkt

KEYS = ("truth_onto_proposal", "proposal_onto_truth", "apls")
DEFINITIONS = pytest.mark.parametrize("definition", ["java", "cosmiq"])


def table(path: Path, rows: Mapping[str, list[str]]) -> Path:
    lines = [f'{image},"{text}"' for image, texts in rows.items() for text in texts]
    path.write_text("\n".join(["ImageId,WKT_Pix", *lines]) + "\n")
    return path


def collection(path: Path, network: list[Floats]) -> Path:
    shapes = [{"type": "LineString", "coordinates": line.tolist()} for line in network]
    path.write_bytes(geojson(*shapes, crs=None))
    return path


def printed(capsys: pytest.CaptureFixture[str], truth: Path, proposal: Path, *more: str) -> dict[str, Any]:
    main(["apls", "--truth", str(truth), "--proposal", str(proposal), "--json", *more])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("suffix", ["csv", "geojson"])
@pytest.mark.parametrize("case", GOLDEN)
def test_golden_values(case: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, proposal, _, expected = GOLDEN[case]
    paths = [tmp_path / f"{name}.{suffix}" for name in ("truth", "proposal")]
    for path, network in zip(paths, (truth, proposal), strict=True):
        if suffix == "csv":
            table(path, {"i1": wkt(network)})
        else:
            collection(path, network)
    for mode in ("strict", "tolerant"):  # identical on clean input
        found = printed(capsys, paths[0], paths[1], "--definition", "java", "--mode", mode)
        assert tuple(found[key] for key in KEYS) == pytest.approx(expected, abs=5e-7)
        assert (found["definition"], found["mode"], found["coordinates"]) == ("java", mode, "pixels")
    if case == "grid":
        found = printed(capsys, paths[0], paths[1], "--definition", "cosmiq")
        assert found["apls"] == pytest.approx(expected[2], abs=5e-5)


def test_images_are_averaged_within_cities_and_a_missing_one_is_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, half = "LINESTRING (0 0, 1000 0)", "LINESTRING (0 0, 500 0)"
    true = {f"AOI_2_Vegas_img{k}": [line] for k in (1, 2)}
    truth = table(
        tmp_path / "t.csv",
        {**true, "AOI_3_Paris_img1": [line], "AOI_3_Paris_img2": ["LINESTRING EMPTY"]},
    )
    proposal = table(
        tmp_path / "p.csv",
        {"AOI_2_Vegas_img1": [half], "AOI_3_Paris_img1": [line], "AOI_9_Rome_img7": [line]},
    )
    found = printed(capsys, truth, proposal, "--definition", "java")
    assert found["images"]["AOI_2_Vegas_img1"]["apls"] == pytest.approx(0.352941, abs=5e-7)
    assert found["images"]["AOI_2_Vegas_img2"]["apls"] == 0.0
    assert found["images"]["AOI_3_Paris_img2"]["apls"] == 1.0
    assert found["apls"] == pytest.approx((0.352941 / 2 + 1.0) / 2, abs=1e-6)
    assert found["not_proposed"] == ["AOI_2_Vegas_img2", "AOI_3_Paris_img2"]
    assert found["not_scored"] == ["AOI_9_Rome_img7"]


FAULTS = {
    "unreadable": "None",
    "multi_line": "MULTILINESTRING ((0 300, 9 300), (20 300, 30 300))",
    "repeated_section": "LINESTRING (1000 0, 0 0)",
    "one_point_line": "LINESTRING (7 7)",
    "close_vertices": "LINESTRING (0 500, 0 500, 90 500)",
    "empty_beside_roads": "LINESTRING EMPTY",
    "dimension_tag": "LINESTRING Z (0 800 1, 9 800 1)",
}


@DEFINITIONS
@pytest.mark.parametrize("kind", FAULTS)
def test_faults_are_listed_or_repaired_and_counted(
    kind: str, definition: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = table(tmp_path / "clean.csv", {"i1": ["LINESTRING (0 0, 1000 0)"]})
    faulty = table(tmp_path / "faulty.csv", {"i1": ["LINESTRING (0 0, 1000 0)", FAULTS[kind]]})
    found = printed(capsys, clean, faulty, "--definition", definition)
    assert found["repairs"]["proposal"][kind] == 1
    assert found["truth_onto_proposal"] == 1.0
    with pytest.raises(BadDataError, match=r"faulty.csv: 1 fault.*i1, line [23]"):
        printed(capsys, clean, faulty, "--definition", definition, "--mode", "strict")
    if definition == "java" or kind == "unreadable":
        with pytest.raises(BadDataError, match="the truth must have none"):
            printed(capsys, faulty, clean, "--definition", definition)
    else:
        assert printed(capsys, faulty, clean, "--definition", definition)["repairs"]["truth"][kind] == 1


@DEFINITIONS
@pytest.mark.parametrize(("truth", "proposal"), [("a", "e"), ("e", "a"), ("e", "e")])
def test_empty_files(
    truth: str, proposal: str, definition: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"a": "LINESTRING (0 0, 1000 0)", "e": "LINESTRING EMPTY"}
    csvs = [table(tmp_path / f"{k}.csv", {"i1": [texts[t]]}) for k, t in enumerate((truth, proposal))]
    expected = 1.0 if truth == proposal and definition == "java" else 0.0
    found = printed(capsys, csvs[0], csvs[1], "--definition", definition)
    assert [found[key] for key in KEYS] == [expected] * 3
    assert found["warnings"]
    maps = []
    for number, name in enumerate((truth, proposal)):
        road = {"type": "LineString", "coordinates": [[5.0, 52.0], [5.001, 52.0]]}
        maps.append(tmp_path / f"{number}.geojson")
        maps[-1].write_bytes(geojson(*[road] * (name == "a"), crs="EPSG:4326"))
    assert printed(capsys, maps[0], maps[1], "--definition", definition)["apls"] == expected


@pytest.mark.parametrize(
    ("more", "error", "code"),
    [
        (["--pixel-m", "nan"], ParameterError, 78),
        (["--pixel-m", "0"], ParameterError, 78),
        (["--truth", "absent.csv"], MissingInputError, 66),
        (["--truth", "x.shp"], ParameterError, 78),
        (["--proposal", "roads.parquet"], ParameterError, 78),
    ],
)
def test_mistakes_are_named_errors(
    more: list[str], error: type[StormsightError], code: int, tmp_path: Path
) -> None:
    path = str(table(tmp_path / "a.csv", {"i1": ["LINESTRING (0 0, 1000 0)"]}))
    with pytest.raises(error) as caught:
        main(["apls", "--truth", path, "--proposal", path, "--definition", "java", *more])
    assert caught.value.exit_code == code


def test_a_truth_without_an_image_is_a_named_error(tmp_path: Path) -> None:
    truth, proposal = (
        table(tmp_path / "t.csv", {}),
        table(tmp_path / "p.csv", {"i1": ["LINESTRING (0 0, 9 9)"]}),
    )
    with pytest.raises(BadDataError, match=r"t\.csv names no image"):
        main(["apls", "--truth", str(truth), "--proposal", str(proposal), "--definition", "java"])


def test_lengths_in_a_wrong_unit_are_refused_instead_of_counted_for_hours(tmp_path: Path) -> None:
    path = str(table(tmp_path / "a.csv", {"i1": ["LINESTRING (0 0, 9e8 0)"]}))
    with pytest.raises(BadDataError, match="longest road measures 9e\\+08"):
        main(["apls", "--truth", path, "--proposal", path, "--definition", "java"])


def roads_at(folder: Path, *places: tuple[float, float]) -> list[Path]:
    """Files of one road of a thousandth of a degree each, without a CRS."""
    files = [folder / f"{number}.geojson" for number in range(len(places))]
    for path, (x, y) in zip(files, places, strict=True):
        path.write_bytes(geojson({"type": "LineString", "coordinates": [[x, y], [x + 0.001, y]]}, crs=None))
    return files


@pytest.mark.parametrize(("place", "doubted"), [((5.0, 52.1), True), ((5.0, 52.00003), False)])
def test_files_of_different_ground_are_doubted(
    place: tuple[float, float], doubted: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = roads_at(tmp_path, (5.0, 52.0), place)
    found = printed(capsys, files[0], files[1], "--definition", "cosmiq")
    assert any("check CRS and order of coordinates" in warning for warning in found["warnings"]) == doubted


def test_latitude_before_longitude_in_one_file_is_no_pixels(tmp_path: Path) -> None:
    files = map(str, roads_at(tmp_path, (5.0, 52.0), (52.0, 5.0)))
    with pytest.raises(BadDataError, match=r"lie more than 3 degrees apart\n.*longitude before latitude"):
        main(["apls", "--truth", next(files), "--proposal", next(files), "--definition", "cosmiq"])


@pytest.mark.parametrize(
    ("roads", "words"),
    [
        (
            [[[5.0, 52.0], [5.001, 52.0]]],
            r"a\.geojson and .*b\.geojson lie more than 3 degrees apart\n.*one place",
        ),
        ([[[5.0, 52.0], [5.001, 52.0]], [[9.0, 52.0], [9.001, 52.0]]], r"a\.geojson: the roads span more"),
    ],
)
def test_files_that_lie_apart_are_told_from_one_that_is_too_wide(
    roads: list[list[list[float]]], words: str, tmp_path: Path
) -> None:
    files = tmp_path / "a.geojson", tmp_path / "b.geojson"
    far = [[[-115.0, 36.0], [-115.001, 36.0]]]
    for path, lines in zip(files, (roads, far), strict=True):
        shapes = [{"type": "LineString", "coordinates": line} for line in lines]
        path.write_bytes(geojson(*shapes, crs="urn:ogc:def:crs:OGC:1.3:CRS84"))
    with pytest.raises(BadDataError, match=words):
        main(["apls", "--truth", str(files[0]), "--proposal", str(files[1]), "--definition", "cosmiq"])


def test_a_size_of_pixels_without_effect_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(geojson({"type": "LineString", "coordinates": [[5.0, 52.0], [5.001, 52.0]]}, crs=None))
    files = ["--truth", str(path), "--proposal", str(path)]
    with pytest.raises(ParameterError, match="--pixel-m has no effect"):
        main(["apls", *files, "--definition", "cosmiq", "--pixel-m", "1"])


def test_lines_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(table(tmp_path / "a.csv", {"i1": ["LINESTRING (0 0, 1000 0)"]}))
    main(["apls", "--truth", path, "--proposal", path, "--definition", "java"])
    out = capsys.readouterr().out
    assert "APLS" in out
    assert "definition java, input tolerant, pixels" in out
