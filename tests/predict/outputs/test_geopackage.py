from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import geopandas
import pytest
import shapely

from components.predict.outputs.geopackage import write_geopackage
from tests.predict.outputs.examples import CRS, footprints, write_footprints

CREATED = datetime(2030, 6, 6, tzinfo=UTC)


@pytest.mark.parametrize("count", [0, 40])
def test_it_holds_the_same_buildings(tmp_path: Path, count: int) -> None:
    write_footprints(tmp_path / "f.parquet", footprints(count))
    for name in ("a.gpkg", "b.gpkg"):
        write_geopackage(tmp_path / "f.parquet", tmp_path / name, created=CREATED)
    frame = geopandas.read_file(tmp_path / "a.gpkg", layer="footprints")
    # user_version at byte 60 of the SQLite header (GeoPackage 1.3, requirement 2)
    assert int.from_bytes((tmp_path / "a.gpkg").read_bytes()[60:64], "big") == 10300
    expected = geopandas.read_parquet(tmp_path / "f.parquet")
    assert frame.crs == CRS
    assert shapely.equals(frame.geometry.to_numpy(), expected.geometry.to_numpy()).all()
    for column in ("id", "confidence", "area_m2", "scene", "model", "model_version"):
        assert frame[column].tolist() == expected[column].tolist()
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.gpkg", "b.gpkg", "f.parquet"}
