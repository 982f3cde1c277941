"""Small drawn acquisitions: what a shift does to their statistics, and that they are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import ParameterError
from components.experiments.drift.drawing import Tables
from components.experiments.drift.shifts import MOVED_M, SHIFTS, USUAL, imagings
from components.experiments.drift.world import Imaging, Scale, draw, moved_column, table
from components.lib.drift.statistics import band_statistics
from components.simulation import radiometry

SCALE = Scale(tiles=12, tile_px=80)


@pytest.fixture(scope="module")
def usual() -> pd.DataFrame:
    return table(draw(SCALE, 0, USUAL), moved_m=[4.0])


def test_an_acquisition_has_tiles_at_several_locations(usual: pd.DataFrame) -> None:
    assert len(usual) == 3 * 12
    assert 9 <= usual["location"].nunique() < 20
    assert sorted(set(usual["strip_index"])) == [0, 1, 2, 3, 4, 5]
    assert usual["sar_nodata_share"].between(0.0, 0.7).all()
    assert usual["sar_offset_range_m"].notna().any()


def test_moved_outlines_move_the_offset(usual: pd.DataFrame) -> None:
    moved = (usual[moved_column(4.0)] - usual["sar_offset_east_m"]).dropna()
    assert moved.median() == pytest.approx(4.0, abs=2.0)


@pytest.mark.parametrize(
    ("imaging", "column", "sign"),
    [
        (Imaging(looks=0.6, vegetation_db=-4.0), "sar_looks_HH", -1),
        (Imaging(other_sensor=True), "sar_mean_VV", 1),
    ],
)
def test_a_shift_shows_in_its_statistic(
    usual: pd.DataFrame, imaging: Imaging, column: str, sign: int
) -> None:
    tables = radiometry.COPOL
    shifted = table(draw(SCALE, 0, imaging))
    assert (shifted["image_id"] == usual["image_id"]).all(), "the same ground and flights"
    assert np.sign((shifted[column] - usual[column]).mean()) == sign
    assert radiometry.COPOL is tables, "the radar's tables are as they were"


def test_a_gain_moves_means_alone() -> None:
    tile = draw(SCALE, 1, USUAL)[0].tile
    valid = (tile.sar != 0).any(axis=0)
    brighter = np.where(valid, tile.sar + np.float32(2.0), 0).astype(np.float32)
    before, after = (band_statistics(image, valid, decibels=True) for image in (tile.sar, brighter))
    for one, other in zip(before, after, strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_drawn_acquisitions_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, drawn = Tables(tmp_path, SCALE), draw(SCALE, 3, USUAL)
    monkeypatch.setattr("components.experiments.drift.drawing.draw", lambda *_: drawn)
    tables.check()
    tables.draw([(USUAL, 3)])
    path = tables.path((USUAL, 3))
    former = pd.read_parquet(path).rename(columns=lambda name: name.replace("sar_offset", "offset"))
    former.to_parquet(path)
    found = tables.read((USUAL, 3))
    assert found is not None
    assert "sar_offset_range_m" in found, "names of former code"
    assert len(found) == 3 * 12
    tables.draw([(USUAL, 3)], repeats=4)
    again = pd.read_parquet(path)
    assert set(again) - set(found) == {moved_column(distance) for distance in MOVED_M}
    assert again[found.columns].equals(found), "what was there stays as it was"
    monkeypatch.setattr("components.experiments.drift.drawing.draw", None)
    tables.draw([(USUAL, 3)], repeats=4)
    tables.draw([(USUAL, 3)])
    assert tables.read((USUAL, 4)) is None
    with pytest.raises(ParameterError, match="acquisitions of another size"):
        Tables(tmp_path, Scale(tiles=13)).check()


def test_each_imaging_is_drawn_once() -> None:
    found = imagings()
    assert len(found) == len(set(found)) == 16
    assert USUAL not in found
    assert len(SHIFTS) == 6
