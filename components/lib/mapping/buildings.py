"""Buildings of a map: polygons in pixels of the scene's grid, and their confidences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.geo.geoarray import PixelTransform
from components.lib.geo.grid import Grid

Polygons = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Buildings:
    """Building polygons of a scene or of a part of it.

    Attributes:
        geometries: (K,) object, valid shapely polygons in pixels of the scene's grid, x to the right and y
            down, (0, 0) the outer corner of its first pixel; rings in shapely's normal form.
        confidences: (K,) float64, mean building probability of the pixels each was drawn around.
    """

    geometries: Polygons
    confidences: Floats

    def __len__(self) -> int:
        return len(self.geometries)

    @property
    def areas_px(self) -> Floats:
        """Areas (K,), square pixels."""
        return np.asarray(shapely.area(self.geometries), dtype=np.float64)

    def areas_m2(self, grid: Grid) -> Floats:
        """Return the areas (K,) in square metres of the grid's projection."""
        return self.areas_px * grid.gsd_m**2

    def on_ground(self, grid: Grid) -> Polygons:
        """Return the polygons (K,) in coordinates of the grid's CRS, rings in shapely's normal form."""
        to_ground = PixelTransform.north_up(x_left_m=grid.x_left_m, y_top_m=grid.y_top_m, gsd_m=grid.gsd_m)
        moved = shapely.transform(self.geometries, to_ground.apply)
        # The north-up map mirrors y, so that normal rings would run the other way round.
        return np.asarray(shapely.normalize(moved), dtype=object)

    def shifted(self, x: npt.NDArray[np.integer], y: npt.NDArray[np.integer]) -> Buildings:
        """Return the buildings moved by ``x`` (K,) pixels to the right and ``y`` (K,) pixels down."""
        xy, index = shapely.get_coordinates(self.geometries, return_index=True)
        moved = shapely.set_coordinates(self.geometries.copy(), xy + np.stack([x, y], axis=1)[index])
        return replace(self, geometries=np.asarray(moved, dtype=object))

    def ordered(self) -> Buildings:
        """Return the buildings from north to south, then from west to east; ties by the polygons' bytes."""
        left, top, _, _ = shapely.bounds(self.geometries).T
        keys = list(zip(top.tolist(), left.tolist(), shapely.to_wkb(self.geometries), strict=True))
        order = sorted(range(len(self)), key=keys.__getitem__)
        return Buildings(self.geometries[order], self.confidences[order])


def concatenate(parts: Iterable[Buildings]) -> Buildings:
    """Return the buildings of all parts, in their order."""
    held = list(parts)
    none = np.empty(0, dtype=object), np.empty(0, dtype=np.float64)
    return Buildings(
        np.concatenate([none[0], *(part.geometries for part in held)]),
        np.concatenate([none[1], *(part.confidences for part in held)]),
    )
