from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from components.predict.outputs import footprints as module
from components.predict.outputs.footprints import Footprints, FootprintWriter
from tests.predict.outputs.examples import CRS, facts, footprints, write_footprints

VALIDATOR = Path(sys.executable).with_name("geoparquet-validator")


def test_the_bytes_do_not_depend_on_the_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 16)
    for batch in (1, 7, 16, 40):
        write_footprints(tmp_path / f"{batch}.parquet", footprints(), batch=batch)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    metadata = pq.read_metadata(tmp_path / "7.parquet")
    assert [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)] == [16, 16, 8]
    assert metadata.metadata[b"STORMSIGHT_SIMULATED"] == b"yes"


def test_geopandas_reads_what_was_written(map_folder: Path) -> None:
    written, path = footprints(), map_folder / "footprints.parquet"
    frame = geopandas.read_parquet(path)
    assert list(frame.columns) == [
        "id", "geometry", "confidence", "area_m2", "scene", "model", "model_version",
    ]  # fmt: skip
    assert frame.crs == CRS
    assert shapely.equals(frame.geometry.to_numpy(), written.polygons).all()
    assert np.array_equal(frame["confidence"], written.confidence)
    assert np.array_equal(frame["area_m2"], written.area_m2)
    assert set(frame["scene"] + frame["model"] + frame["model_version"]) == {"scene-1stormsight-sar3"}
    assert frame["id"].is_unique
    west, south, east, north = written.polygons[3].bounds
    assert len(geopandas.read_parquet(path, bbox=(west + 1, south + 1, east - 1, north - 1))) == 1


def test_names_follow_the_shape_and_not_the_order(tmp_path: Path) -> None:
    written = footprints()
    turned = Footprints(written.polygons[::-1], written.confidence[::-1], written.area_m2[::-1])
    write_footprints(tmp_path / "a.parquet", written)
    write_footprints(tmp_path / "b.parquet", turned)
    a, b = (geopandas.read_parquet(tmp_path / name)["id"].tolist() for name in ("a.parquet", "b.parquet"))
    assert a == b[::-1]


@pytest.mark.parametrize("count", [0, 40])
def test_the_validator_finds_nothing(tmp_path: Path, count: int) -> None:
    write_footprints(tmp_path / "f.parquet", footprints(count))
    command = [str(VALIDATOR), "check", str(tmp_path / "f.parquet")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
    assert "FAIL" not in said.stdout
    assert said.stdout.count("conformant") >= 3
    assert len(geopandas.read_parquet(tmp_path / "f.parquet")) == count


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="stop"),
        FootprintWriter(tmp_path / "f.parquet", CRS, scene="s", model="m", model_version="1") as writer,
    ):
        writer.add(footprints())
        raise RuntimeError("stop")
    assert not list(tmp_path.iterdir())


def test_the_row_group_is_all_that_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS", 8)
    with FootprintWriter(
        tmp_path / "f.parquet", CRS, scene=facts().scene.name, model="m", model_version="1"
    ) as writer:
        for _ in range(20):
            writer.add(footprints(5))
            assert sum(map(len, writer._waiting)) < 8
