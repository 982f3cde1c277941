"""Looks brought onto one grid, so that several of the same ground make one map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.contract.errors import BadDataError
from components.lib.geo.crs import same_crs
from components.lib.geo.grid import Grid
from components.lib.geo.resample import blend
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Pixels, Scene, SceneFacts
from components.predict.scenes.checks import MOST_SIDE_PX
from components.predict.scenes.geotiff import GeoTiffScene
from components.predict.scenes.lattice import Lattice, lattice_of
from components.predict.scenes.place import axes
from components.predict.scenes.strip import StripScene

LATTICE_PX = 0.05
"""Distance of pixels up to which looks count as lying on one lattice; half of what tiles of a strip have."""


def common_grid(scenes: Sequence[Scene]) -> Grid:
    """Return a grid over the ground of all looks.

    Where all lie on one lattice, it is that one, and no look is resampled. Else the grid's edges are whole
    multiples of its pixel size, which is the first look's.

    Raises:
        BadDataError: If the looks are in different CRS, or too far apart.
    """
    first = scenes[0]
    for scene in scenes[1:]:
        if not same_crs(first.facts.crs, scene.facts.crs, scene.facts.name):
            raise BadDataError(
                f"{scene.facts.name} is in {scene.facts.crs[:40]}, {first.facts.name} in "
                f"{first.facts.crs[:40]}: one map has one CRS",
                next_step="map them one by one, or warp one of them to the other's CRS (gdalwarp)",
            )
    grids = [scene.grid for scene in scenes]
    lattice = lattice_of(grids, LATTICE_PX)
    if max(lattice.distance_px(grid) for grid in grids) > LATTICE_PX:
        lattice = Lattice(0.0, 0.0, grids[0].gsd_m)
        grids = [lattice.covering(grid) for grid in grids]
    union = Box.around(lattice.box(grid) for grid in grids)
    if max(union.shape) > MOST_SIDE_PX:
        raise BadDataError(
            f"{first.facts.name} and the {len(scenes) - 1} other looks span {union.shape[0]} x "
            f"{union.shape[1]} pixels, beyond {MOST_SIDE_PX} a side",
            next_step="map looks of one place at a time",
        )
    return lattice.grid(union)


def regrid(scene: Scene, grid: Grid) -> Scene:
    """Return the same look on another grid of its CRS.

    Pixels that fall together within a twentieth are taken as they are, others are sampled by the rule of
    :func:`components.lib.geo.resample.resample`.
    """
    if scene.grid == grid:
        return scene
    near = Lattice(grid.x_left_m, grid.y_top_m, grid.gsd_m).distance_px(scene.grid) <= LATTICE_PX
    if near:
        return _MovedScene(scene, grid)
    # Scenes of files are sampled from the files' pixels: sampling twice would blur.
    return scene.on(grid) if isinstance(scene, GeoTiffScene | StripScene) else _SampledScene(scene, grid)


class _Look:
    """Scene on another grid.

    Args:
        scene: The scene.
        grid: The grid.
    """

    def __init__(self, scene: Scene, grid: Grid) -> None:
        self._scene = scene
        self.grid = grid

    @property
    def facts(self) -> SceneFacts:
        """Facts of the scene."""
        return self._scene.facts

    def read(self, box: Box) -> Pixels:
        """Return pixels; see :class:`~components.lib.mapping.scene.Scene`."""
        inner = box.shared(Box(0, 0, self.grid.height, self.grid.width))
        if inner == box:
            return self._inside(box)
        pixels = np.zeros((*box.shape, 4), dtype=np.uint8)
        if inner.area:
            pixels[inner.within(box)] = self._inside(inner)
        return pixels

    def _inside(self, box: Box) -> Pixels:
        """Return the pixels of a box within the grid."""
        raise NotImplementedError


class _MovedScene(_Look):
    """Look whose pixels are those of the scene, counted from another corner."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        super().__init__(scene, grid)
        own = Lattice(grid.x_left_m, grid.y_top_m, grid.gsd_m).box(scene.grid)
        self._top, self._left = own.top, own.left

    def _inside(self, box: Box) -> Pixels:
        return self._scene.read(box.moved(-self._top, -self._left))


class _SampledScene(_Look):
    """Look sampled at the pixel centres of the grid."""

    def __init__(self, scene: Scene, grid: Grid) -> None:
        super().__init__(scene, grid)
        self._rows, self._columns = axes(scene.grid, grid)

    def _inside(self, box: Box) -> Pixels:
        inside = self._rows.inside(box.top, box.bottom)[:, None] & self._columns.inside(box.left, box.right)
        if not inside.any():
            return np.zeros((*box.shape, 4), dtype=np.uint8)
        rows, columns = self._rows.taps(box.top, box.bottom), self._columns.taps(box.left, box.right)
        (top, bottom), (left, right) = rows.span, columns.span
        own = self._scene.read(Box(top, left, bottom, right))
        values = np.moveaxis(own, -1, 0).astype(np.float32)
        values, valid = blend(values, np.asarray(own.any(axis=-1)), rows.within(top), columns.within(left))
        whole = np.rint(np.moveaxis(values, 0, -1))
        return np.where((valid & inside)[..., None], whole, 0).astype(np.uint8)
