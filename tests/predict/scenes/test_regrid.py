"""Several looks on one grid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from components.contract.errors import BadDataError
from components.lib.geo.grid import GRID_M, Grid
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Scene, SceneFacts
from components.predict.scenes.opening import open_scenes
from components.predict.scenes.regrid import common_grid, regrid
from tests.predict.scenes.files import NORTH, WEST, at, opened, write
from tests.predict.scenes.simulated import AIRBORNE

FACTS = SceneFacts(
    name="look",
    sensor="capella-airborne",
    modality="sar",
    crs="EPSG:32631",
    orientation=0,
    acquired=None,
    sources=(),
    simulated=False,
)


class Look:
    """Scene in memory."""

    def __init__(self, pixels: npt.NDArray[np.uint8], x: float = 0.0, y: float = 0.0) -> None:
        """Take pixels that lie ``x`` pixels east and ``y`` south of the corner."""
        self.facts = FACTS
        self.pixels = pixels
        self.grid = grid(pixels.shape[0], pixels.shape[1], x, y)

    def read(self, box: Box) -> npt.NDArray[np.uint8]:
        found = np.zeros((*box.shape, 4), dtype=np.uint8)
        inner = box.shared(Box(0, 0, *self.pixels.shape[:2]))
        if inner.area:
            found[inner.within(box)] = self.pixels[inner.top : inner.bottom, inner.left : inner.right]
        return found


def grid(height: int, width: int, x: float = 0.0, y: float = 0.0) -> Grid:
    left, top = WEST + x * GRID_M, NORTH - y * GRID_M
    return Grid(x_left_m=left, y_top_m=top, gsd_m=GRID_M, height=height, width=width)


def picture(seed: int = 0) -> npt.NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(1, 256, (40, 50, 4), dtype=np.uint8)
    pixels[5:9, 7:20] = 0
    return pixels


def whole(scene: Scene) -> npt.NDArray[np.uint8]:
    return scene.read(Box(0, 0, scene.grid.height, scene.grid.width))


def test_looks_on_one_lattice_are_never_resampled() -> None:
    looks = [Look(picture(0)), Look(picture(1), 13, -7), Look(picture(2), -4.01, 30.02)]
    common = common_grid(looks)
    assert (common.height, common.width) == (40 + 7 + 30, 50 + 13 + 4)
    assert abs(common.x_left_m - looks[2].grid.x_left_m) < 0.05 * GRID_M
    for look, top, left in zip(looks, (7, 0, 37), (4, 17, 0), strict=True):
        moved = regrid(look, common)
        assert moved.grid == common
        assert moved.facts == look.facts
        expected = np.zeros((77, 67, 4), dtype=np.uint8)
        expected[top : top + 40, left : left + 50] = look.pixels
        np.testing.assert_array_equal(whole(moved), expected)
        np.testing.assert_array_equal(moved.read(Box(3, 9, 44, 60)), expected[3:44, 9:60])
        assert not moved.read(Box(77, 0, 90, 67)).any()


def test_one_look_keeps_its_grid_and_itself() -> None:
    look = Look(picture(), 0.3, 0.4)
    common = common_grid([look])
    assert common == look.grid
    assert regrid(look, look.grid) is look


def test_looks_beside_each_other_get_a_grid_of_whole_pixels() -> None:
    looks = [Look(picture(0)), Look(picture(1), 10.5, 0.25)]
    common = common_grid(looks)
    for edge in (common.x_left_m, common.y_top_m):
        assert edge / GRID_M == pytest.approx(round(edge / GRID_M), abs=1e-6)
    for look in looks:
        assert common.x_left_m <= look.grid.x_left_m
        assert common.y_top_m >= look.grid.y_top_m
        assert common.x_left_m + common.side_m[0] >= look.grid.x_left_m + look.grid.side_m[0] - 1e-6
        assert common.y_top_m - common.side_m[1] <= look.grid.y_top_m - look.grid.side_m[1] + 1e-6
    assert common.width <= 50 + 10 + 3
    assert common.height <= 40 + 3


def test_half_a_pixel_is_the_mean_of_neighbours_and_no_data_enter_no_value() -> None:
    look = Look(picture())
    target = grid(40, 50, 0.5)
    moved = regrid(look, target)
    pixels = look.pixels.astype(np.float64)
    pairs = np.rint((pixels[:, :-1] + pixels[:, 1:]) / 2)
    both = look.pixels[:, :-1].any(axis=-1) & look.pixels[:, 1:].any(axis=-1)
    np.testing.assert_array_equal(whole(moved)[:, :-1][both], pairs[both])
    edge = whole(moved)[6, 6]  # half of it has no data
    np.testing.assert_array_equal(edge, look.pixels[6, 6])
    assert not whole(moved)[6, 8:18].any()
    np.testing.assert_array_equal(moved.read(Box(2, 3, 33, 41)), whole(moved)[2:33, 3:41])


def test_a_look_ends_where_its_ground_ends() -> None:
    look = Look(picture())
    moved = regrid(look, grid(80, 90, -10.3, -10.3))
    data = np.asarray(whole(moved).any(axis=-1))
    assert np.flatnonzero(data.any(axis=1))[[0, -1]].tolist() == [10, 49]
    assert np.flatnonzero(data.any(axis=0))[[0, -1]].tolist() == [10, 59]


@pytest.mark.parametrize("gsd", [GRID_M, 1.0])
def test_a_file_is_sampled_once_from_its_own_pixels(tmp_path: Path, gsd: float) -> None:
    """A ramp is kept by interpolation, so every pixel shows where it was sampled."""
    ramp = np.broadcast_to(np.arange(1, 61, dtype=np.float32), (4, 50, 60)).copy()
    scene = opened(write(tmp_path, ramp, at(gsd)))
    target = replace(scene.grid, x_left_m=scene.grid.x_left_m + 0.3 * GRID_M)
    moved = whole(regrid(scene, target))
    x = (np.arange(target.width) + 0.5 + 0.3) * GRID_M / gsd  # source pixels from the west edge
    expected = np.clip(x - 0.5, 0, 59) + 1
    inner = x < 60
    level = np.rint(expected / 92 * 254 + 1)
    assert np.abs(moved[20, inner, 0].astype(int) - level[inner]).max() <= 1
    assert not moved[20, ~inner].any()


def test_strips_of_one_release_come_onto_one_grid(airborne_folder: Path, tmp_path: Path) -> None:
    scenes = open_scenes(
        [str(airborne_folder)], sensor=AIRBORNE, modality="sar", orientation=None, scratch=tmp_path
    )
    common = common_grid(scenes)
    for scene in scenes:
        moved = regrid(scene, common)
        assert moved.grid == common
        left = (scene.grid.x_left_m - common.x_left_m) / common.gsd_m
        top = (common.y_top_m - scene.grid.y_top_m) / common.gsd_m
        box = Box(round(top), round(left), round(top) + 128, round(left) + 300)
        assert moved.read(box).any(axis=-1).mean() == pytest.approx(
            scene.read(Box(0, 0, 128, 300)).any(axis=-1).mean(), abs=0.05
        )


def test_looks_in_different_crs_make_no_map() -> None:
    other = Look(picture())
    other.facts = replace(FACTS, crs="EPSG:32632", name="other")
    with pytest.raises(BadDataError, match="other is in EPSG:32632, look in EPSG:32631"):
        common_grid([Look(picture()), other])


def test_looks_far_apart_make_no_map() -> None:
    with pytest.raises(BadDataError, match="beyond 400000 a side"):
        common_grid([Look(picture()), Look(picture(), 1_000_000)])
