"""Place of a raster on the ground, and the scene's grid over it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from components.contract.errors import BadDataError
from components.lib.geo.grid import Grid, grid_of
from components.lib.geo.raster import RasterProfile
from components.lib.geo.resample import Axis
from components.lib.mapping.blocks import Box


@dataclass(frozen=True, slots=True)
class Place:
    """A raster on the ground, and the scene's grid over it.

    Attributes:
        native: Grid of the raster's own pixels, north up.
        grid: Grid of the scene.
        south_up: True if the raster's first row is the southernmost one.
    """

    native: Grid
    grid: Grid
    south_up: bool

    @property
    def rows(self) -> Axis:
        """Rows of the scene's grid on the raster's."""
        if self._same_ground:
            return Axis.over(self.native.height, self.grid.height)
        return axes(self.native, self.grid)[0]

    @property
    def columns(self) -> Axis:
        """Columns of the scene's grid on the raster's."""
        if self._same_ground:
            return Axis.over(self.native.width, self.grid.width)
        return axes(self.native, self.grid)[1]

    @property
    def _same_ground(self) -> bool:
        """True if the scene's grid is the raster's, resized as the training store does it."""
        return self.grid == self.native.resized()

    def holds(self, box: Box) -> bool:
        """Return whether a box of the grid's pixels has a centre on the raster's ground."""
        rows, columns = self.rows.inside(box.top, box.bottom), self.columns.inside(box.left, box.right)
        return bool(rows.any() and columns.any())

    def needed(self, box: Box) -> Box:
        """Return the raster's pixels, counted from the north, that a box of the grid's is made from."""
        if self.grid == self.native:
            return box
        top, bottom = self.rows.taps(box.top, box.bottom).span
        left, right = self.columns.taps(box.left, box.right).span
        return Box(top, left, bottom, right)

    def stored(self, box: Box) -> Box:
        """Return where the file holds a box of the raster's pixels that is counted from the north."""
        if not self.south_up:
            return box
        height = self.native.height
        return Box(height - box.bottom, box.left, height - box.top, box.right)


def axes(native: Grid, grid: Grid) -> tuple[Axis, Axis]:
    """Return the rows and columns of a grid on those of another, by their places on the ground."""
    step = grid.gsd_m / native.gsd_m
    return (
        Axis(native.height, step, (native.y_top_m - grid.y_top_m) / native.gsd_m),
        Axis(native.width, step, (grid.x_left_m - native.x_left_m) / native.gsd_m),
    )


def place_of(profile: RasterProfile) -> Place:
    """Return the place of a raster, its grid resized to the model's pixel size.

    Raises:
        BadDataError: If it has no georeference, or is turned, mirrored or not of square pixels.
    """
    name, t = profile.name, profile.transform
    if t.is_identity:
        raise BadDataError(
            f"{name} has no georeference: its place on the ground is unknown",
            next_step="write the georeference into the file (gdal_edit.py -a_srs -a_ullr)",
        )
    if t.b or t.d:
        raise BadDataError(
            f"{name} is rotated against north (transform {tuple(t)[:6]})",
            next_step="warp it onto a north-up grid (gdalwarp)",
        )
    if t.a < 0:
        raise BadDataError(
            f"{name} is mirrored: its columns run from east to west", next_step="warp it (gdalwarp)"
        )
    south_up = t.e > 0
    if south_up:
        north = type(t)(t.a, 0.0, t.c, 0.0, -t.e, t.f + t.e * profile.height)
        profile = replace(profile, transform=north)
    native = grid_of(profile)
    return Place(native, native.resized(), south_up)
