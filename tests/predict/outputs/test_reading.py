from __future__ import annotations

from pathlib import Path

import pytest
import shapely

from components.predict.outputs import reading
from components.predict.outputs.reading import Summary, crs_of, summarise
from tests.predict.outputs.examples import CRS, footprints, write_footprints


def test_the_summary_counts_over_all_batches(map_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = summarise(map_folder / "footprints.parquet")
    monkeypatch.setattr(reading, "BATCH_ROWS", 7)
    monkeypatch.setattr(reading, "LARGEST", 3)
    batched = summarise(map_folder / "footprints.parquet")
    written = footprints()
    assert batched.largest == whole.largest[:3]
    assert (whole.buildings, whole.area_m2) == (40, written.area_m2.sum())
    assert sum(whole.histogram) == 40
    assert sum(whole.histogram[10:]) == 40
    assert sum(whole.histogram[15:]) == (written.confidence.round(4) >= 0.75).sum()
    assert [b.area_m2 for b in whole.largest] == sorted(written.area_m2, reverse=True)


def test_listed_places_lie_inside_their_buildings(map_folder: Path) -> None:
    listed = summarise(map_folder / "footprints.parquet").largest
    lon_lat = shapely.points([b.lon for b in listed], [b.lat for b in listed])
    assert shapely.within(lon_lat, shapely.box(4.34, 51.85, 4.38, 51.88)).all()


def test_a_map_without_buildings_has_a_summary(tmp_path: Path) -> None:
    write_footprints(tmp_path / "f.parquet", footprints(0))
    assert summarise(tmp_path / "f.parquet") == Summary(0, 0.0, (0,) * 20, ())
    assert crs_of(tmp_path / "f.parquet") == CRS
