"""Tiles of a strip on their common lattice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from components.contract.errors import BadDataError
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.grid import GRID_M, Grid
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Scene
from components.predict.scenes.lattice import Lattice, lattice_of
from components.predict.scenes.opening import open_scenes
from tests.predict.scenes.files import NORTH, SENSOR, WEST, at, sar, write

STRIP = "20190822070610_20190822070846"


def grid(x: float, y: float = 0.0) -> Grid:
    """Return a grid ``x`` pixels east and ``y`` south of a corner."""
    west, north = WEST + x * GRID_M, NORTH - y * GRID_M
    return Grid(x_left_m=west, y_top_m=north, gsd_m=GRID_M, height=10, width=10)


def strip(folder: Path, *tiles: tuple[npt.NDArray[np.float32], float], gsd: float = GRID_M) -> Scene:
    """Write tiles, each so many pixels east of the first, and open their strip."""
    folder.mkdir()
    for number, (values, east) in enumerate(tiles):
        name = SPACENET6.file_name("SAR-Intensity", STRIP, number)
        write(folder, values, at(gsd, WEST + east * gsd), name, nodata=0)
    (scene,) = open_scenes(
        [str(folder)], sensor=SENSOR, modality="sar", orientation=0, scratch=folder / "scratch"
    )
    return scene


def test_the_lattice_is_that_of_most_grids_and_lies_in_their_middle() -> None:
    lattice = lattice_of([grid(0), grid(9.04), grid(18.08, 5), grid(27.5)])
    assert lattice.distance_px(grid(0.04)) == pytest.approx(0, abs=1e-6)
    assert lattice.distance_px(grid(27.5)) == pytest.approx(0.46, abs=1e-6)
    assert lattice.distance_px(grid(0.04, 0.3)) == pytest.approx(0.3, abs=1e-6)


def test_a_lattice_covers_ground_with_as_few_pixels_as_it_takes() -> None:
    lattice = Lattice(WEST, NORTH, GRID_M)
    assert lattice.covering(grid(3, 4)) == grid(3, 4)
    cover = lattice.covering(grid(0.25, -0.25))
    assert lattice.box(cover) == Box(-1, 0, 10, 11)


def test_one_grid_of_another_pixel_size_does_not_make_the_lattice() -> None:
    odd = replace(grid(0), gsd_m=0.6)
    lattice = lattice_of([odd, grid(9), grid(18)])
    assert lattice.gsd_m == GRID_M
    assert lattice.distance_px(odd) > 0.1
    assert lattice.distance_px(grid(9)) == pytest.approx(0, abs=1e-6)


def test_two_tiles_far_apart_are_no_strip(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=rf"strip {STRIP}: SN6_.*_tile_0\.tif lies .* km from the middle"):
        strip(tmp_path / "strip", (sar(), 0), (sar(), 1_000_000))


def test_of_tiles_that_overlap_the_first_with_data_gives_the_pixel(tmp_path: Path) -> None:
    first, second = sar(40, 60, seed=1), sar(40, 60, seed=2)
    first[:, 20:30] = 0
    alone = [strip(tmp_path / name, (values, 0)) for name, values in (("a", first), ("b", second))]
    a, b = (scene.read(Box(0, 0, 40, 60)) for scene in alone)
    scene = strip(tmp_path / "both", (first, 0), (second, 25))
    assert (scene.grid.height, scene.grid.width) == (40, 85)
    pixels = scene.read(Box(0, 0, 40, 85))
    np.testing.assert_array_equal(pixels[:, :25], a[:, :25])
    np.testing.assert_array_equal(pixels[:, 60:], b[:, 35:])
    shared = pixels[:, 25:60]
    np.testing.assert_array_equal(shared[:20], np.where(a[:20, 25:] > 0, a[:20, 25:], b[:20, :35]))
    np.testing.assert_array_equal(shared[20:30], b[20:30, :35])


def test_tiles_whose_resized_grids_share_no_lattice_are_sampled_on_one(tmp_path: Path) -> None:
    """50 and 73 pixels of 0.8 m are no whole numbers of half-metre pixels."""
    ramp = (np.arange(1, 211) / 4).astype(np.float32)
    tiles = [(np.tile(ramp[x : x + 87], (4, 40, 1)), float(x)) for x in (0, 50, 123)]
    scene = strip(tmp_path / "strip", *tiles, gsd=0.8)
    assert scene.grid.gsd_m == GRID_M
    assert len(scene.facts.sources) == 3
    assert scene.grid.side_m[0] == pytest.approx(210 * 0.8, abs=2 * GRID_M)
    pixels = scene.read(Box(0, 0, scene.grid.height, scene.grid.width))
    x = (np.arange(scene.grid.width) + 0.5) * GRID_M + scene.grid.x_left_m - WEST
    level = np.rint((np.clip(x / 0.8 - 0.5, 0, 209) + 1) / 4 / 92 * 254 + 1)
    inner = (x > 0) & (x < 210 * 0.8)
    assert np.abs(pixels[20, inner, 0].astype(int) - level[inner]).max() <= 1
    assert not pixels[20, ~inner].any()
    np.testing.assert_array_equal(scene.read(Box(3, 40, 30, 300)), pixels[3:30, 40:300])
