from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import Affine

from components.contract.errors import BadDataError, MissingInputError, ParameterError, ResourceError
from components.lib.geo.grid import Grid
from components.lib.geo.raster import write_geotiff
from components.lib.mapping.blocks import Box
from components.lib.mapping.levels import to_levels
from components.lib.report.panels import FALSE_ALARM, MISSED
from components.predict.__main__ import main
from components.predict.outputs.probability import ProbabilityWriter
from tests.lib.roads.tracing.masks import UTM, empty, tee

TRANSFORM = Affine(0.5, 0.0, 500_000.0, 0.0, -0.5, 4_000_000.0)
FILES = ("r.geojson", "r.parquet", "r.graphml", "r.csv")


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    write_geotiff(tmp_path / "tile.tif", tee()[None].astype(np.uint8), transform=TRANSFORM, crs=UTM)
    return tmp_path / "tile.tif"


def run(mask: Path, *names: str, options: tuple[str, ...] = (), folder: str = "out") -> Path:
    out = mask.parent / folder
    files = [str(out / name) for name in names]
    assert main(["roads", "--mask", str(mask), "--out", *files, *options]) == 0
    return out


def test_all_files_hold_the_graph_and_the_same_bytes_twice(
    mask: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, again = run(mask, *FILES), run(mask, *FILES, folder="again")
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert all((out / name).read_bytes() == (again / name).read_bytes() for name in FILES)
    assert "3 roads between 4 junctions and ends, 0.15 km" in capsys.readouterr().out
    table = geopandas.read_parquet(out / "r.parquet")
    assert table.crs.to_epsg() == 32631
    assert table.length.to_numpy() == pytest.approx(table["length_m"].to_numpy(), abs=0.005)
    features = json.loads((out / "r.geojson").read_text())["features"]
    for column, name in (("from_node", "from"), ("to_node", "to"), ("travel_s", "travel_s")):
        assert table[column].tolist() == [feature["properties"][name] for feature in features]
    assert (out / "r.csv").read_text().splitlines()[1].startswith("tile,")


def test_a_mask_without_a_road_gives_valid_empty_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = tmp_path / "tile.tif"
    write_geotiff(mask, empty()[None].astype(np.uint8), transform=TRANSFORM, crs=UTM)
    out = run(mask, *FILES)
    assert capsys.readouterr().out.startswith("no road\n")
    assert len(geopandas.read_parquet(out / "r.parquet")) == 0
    assert (out / "r.csv").read_text() == "ImageId,WKT_Pix\ntile,LINESTRING EMPTY\n"


def test_options_reach_the_rules_and_the_files(mask: Path) -> None:
    out = run(mask, "r.csv", "r.geojson", options=("--spur", "60", "--image-id", "img1", "--map-crs"))
    assert (out / "r.csv").read_text().count("img1") == 1  # the road that ends in the other is a spur
    crs = json.loads((out / "r.geojson").read_text())["crs"]
    assert crs["properties"]["name"] == "urn:ogc:def:crs:EPSG::32631"
    out = run(mask, "r.csv", options=("--threshold", "1"))
    assert "LINESTRING EMPTY" in (out / "r.csv").read_text()


def test_the_probabilities_of_a_published_map_are_read_by_their_scale(tmp_path: Path) -> None:
    probability = np.where(tee(), 0.35, 0.25)
    valid = np.ones(probability.shape, dtype=bool)
    valid[:50] = False
    grid = Grid(x_left_m=500_000.0, y_top_m=4_000_000.0, gsd_m=0.5, height=200, width=200)
    with ProbabilityWriter(tmp_path / "probability.tif", grid, UTM, work=tmp_path) as writer:
        writer.write(Box(0, 0, 200, 200), to_levels(probability, valid))
    features = json.loads((run(tmp_path / "probability.tif", "r.json") / "r.json").read_text())["features"]
    lengths = sorted(feature["properties"]["length_m"] for feature in features)
    assert lengths == pytest.approx([25.0, 50.0, 50.0], abs=2.5)


def test_the_picture_shows_roads_and_nodes_over_the_image(mask: Path) -> None:
    grey = np.linspace(0, 255, 200 * 200, dtype=np.uint8).reshape(1, 200, 200)
    write_geotiff(mask.parent / "image.tif", grey, transform=TRANSFORM, crs=UTM)
    picture = mask.parent / "p.png"
    run(mask, "r.csv", options=("--picture", str(picture), "--image", str(mask.parent / "image.tif")))
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape == (200, 200, 3)
    assert tuple(pixels[100, 50]) == FALSE_ALARM
    assert tuple(pixels[100, 100]) == MISSED
    assert pixels[10, 10, 0] < pixels[190, 190, 0]
    run(mask, "r.csv", options=("--picture", str(picture)))
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert (pixels[10, 10].max(), tuple(pixels[103, 50])) == (0, (90, 90, 90))


@pytest.mark.parametrize(
    ("arguments", "error", "why"),
    [
        (("--out", "r.shp"), ParameterError, r"r\.shp ends in none of"),
        (("--out", "r.csv", "./r.csv"), ParameterError, "named twice"),
        (("--out", "r.csv", "--picture", "p.jpg"), ParameterError, "no PNG"),
        (("--out", "r.csv", "--image", "i.tif"), ParameterError, "add --picture"),
        (("--out", "r.csv", "--picture", "p.png", "--image", "none.tif"), MissingInputError, "none.tif"),
        (("--out", "r.csv", "--gap", "40"), ParameterError, "gap_m is at most"),
        (("--out", "r.csv", "--spur", "nan"), ParameterError, "finite"),
        (("--out", "r.csv", "--threshold", "nan"), ParameterError, "not finite"),
        (("--out", "r.geojson", "r.csv", "--image-id", "a\nb"), ParameterError, "no id of an image"),
        (("--out", "r.csv", "--image-id", ""), ParameterError, "no id of an image"),
        (("--out", "r.geojson", "--image-id", "a"), ParameterError, "only written into a CSV"),
        (("--out", "r.csv", "--map-crs"), ParameterError, "only for GeoJSON"),
        (("--out", "r.csv", "tile.tif/r.json"), ParameterError, "tile.tif is no folder"),
        (("--out", "r.csv", "--picture", "tile.tif/p.png"), ParameterError, "tile.tif is no folder"),
        (("--out", "r.csv", "/proc/none/r.json"), ResourceError, "/proc/none cannot be written"),
    ],
)
def test_mistakes_are_named_and_leave_nothing(
    mask: Path,
    arguments: tuple[str, ...],
    error: type[Exception],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(mask.parent)
    with pytest.raises(error, match=why):
        main(["roads", "--mask", str(mask), *arguments])
    assert [path.name for path in mask.parent.iterdir()] == ["tile.tif"]


def test_a_folder_in_place_of_the_second_file_leaves_no_first_one(mask: Path) -> None:
    (mask.parent / "out" / "r.json").mkdir(parents=True)
    with pytest.raises(ParameterError, match=r"r\.json is a folder"):
        run(mask, "r.csv", "r.json")
    assert not (mask.parent / "out" / "r.csv").exists()


def test_a_raster_that_is_mostly_road_is_doubted(mask: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(mask, "r.json", options=("--threshold", "-1"))
    assert "100 % of" in caplog.text


def test_an_image_of_other_pixels_is_refused(mask: Path) -> None:
    other = mask.parent / "other.tif"
    with rasterio.open(mask) as raster:
        write_geotiff(other, raster.read(), transform=TRANSFORM @ Affine.translation(1, 0), crs=UTM)
    with pytest.raises(BadDataError, match="does not have the pixels"):
        run(mask, "r.csv", options=("--picture", "p.png", "--image", str(other)))
    assert not (mask.parent / "out").exists()
