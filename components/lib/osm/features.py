"""Roads and buildings as geometries, with what is known of each; and the count of what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.geo.crs import LON_LAT, move
from components.lib.geo.geometries import repair
from components.lib.osm.tags import Verdict

Geometries = npt.NDArray[np.object_]

RING_CORNERS = 4
"""Least number of positions of a ring, the first one repeated at its end."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Objects of one task.

    Attributes:
        geometry: (N,) lines and valid polygons, two-dimensional.
        width_m: (N,) float64, width of a line in metres; 0 for a polygon.
        certain: (N,) bool, False where the object becomes ``IGNORE``.
    """

    geometry: Geometries
    width_m: npt.NDArray[np.float64]
    certain: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, geometry: Geometries, verdicts: Sequence[Verdict]) -> Features:
        """Return objects with what their tags say."""
        width = np.array([verdict.width_m for verdict in verdicts], dtype=np.float64)
        certain = np.array([verdict.certain for verdict in verdicts], dtype=bool)
        return cls(geometry, width, certain)

    def __len__(self) -> int:
        return len(self.geometry)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Features:
        """Return some of the objects, by a mask (N,) or by numbers."""
        return Features(self.geometry[chosen], self.width_m[chosen], self.certain[chosen])

    def in_crs(self, crs: str, name: str) -> Features:
        """Return objects in longitude and latitude as objects in ``crs``.

        Args:
            crs: Projected CRS of tiles, ``EPSG:<code>`` or WKT.
            name: Name of the extract, for messages.

        Raises:
            BadDataError: If PROJ cannot transform a coordinate.
        """
        if not len(self):
            return self
        moved = shapely.transform(self.geometry, lambda xy: move(xy, LON_LAT, crs, name))
        return Features(moved, self.width_m, self.certain)


@dataclass(slots=True)
class Found:
    """Result of reading an extract.

    Attributes:
        parts: Objects that meet the ground, piece by piece, in longitude and latitude.
        left_out: Number of objects that are not drawn, by reason.
        repaired: Number of outlines that crossed themselves and were made valid.
        odd_widths: Number of drawn roads with a tag of width or lanes that could not be read or believed.
        seen: Number of objects with the task's tag in the whole extract.
        timestamp: State of the data as the file's own header says it; "" where it says nothing.
        box: Coverage as the file's own header says it: west, south, east, north in degrees.
    """

    parts: list[Features] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    repaired: int = 0
    odd_widths: int = 0
    seen: int = 0
    timestamp: str = ""
    box: tuple[float, float, float, float] | None = None

    def features(self) -> Features:
        """Return all objects, in the order in which they were read."""
        if not self.parts:
            nothing = np.zeros(0)
            return Features(np.zeros(0, dtype=object), nothing, nothing.astype(bool))
        return Features(
            np.concatenate([part.geometry for part in self.parts]),
            np.concatenate([part.width_m for part in self.parts]),
            np.concatenate([part.certain for part in self.parts]),
        )

    def leave_out(self, reason: str, count: int = 1) -> None:
        """Count objects that are not drawn."""
        if count:
            self.left_out[reason] += int(count)

    def add_polygons(self, polygons: Geometries, verdicts: Sequence[Verdict]) -> None:
        """Add surfaces, made valid where they are not; what has no area is left out and counted.

        Args:
            polygons: (N,) polygons and multi-polygons in longitude and latitude.
            verdicts: Judgement of each.
        """
        valid = shapely.is_valid(polygons) & (shapely.get_type_id(polygons) == shapely.GeometryType.POLYGON)
        whole = np.flatnonzero(valid)
        if len(whole):
            self.parts.append(Features.of(polygons[whole], [verdicts[i] for i in whole.tolist()]))
        for i in np.flatnonzero(~valid).tolist():
            pieces, needed = repair(polygons[i])
            self.leave_out("outline without area", not pieces)
            self.repaired += needed and bool(pieces)
            if pieces:
                self.parts.append(Features.of(np.array(pieces, dtype=object), [verdicts[i]] * len(pieces)))

    def add_rings(self, lines: Geometries, verdicts: Sequence[Verdict]) -> None:
        """Add closed lines as surfaces.

        Args:
            lines: (N,) closed lines in longitude and latitude.
            verdicts: Judgement of each.
        """
        corners = shapely.get_num_points(lines)
        enough = corners >= RING_CORNERS
        self.leave_out("outline without area", int((~enough).sum()))
        if not enough.any():
            return
        xy = shapely.get_coordinates(lines[enough])
        rings = shapely.linearrings(xy, indices=np.repeat(np.arange(enough.sum()), corners[enough]))
        polygons = np.asarray(shapely.polygons(rings), dtype=object)
        self.add_polygons(polygons, [verdicts[i] for i in np.flatnonzero(enough).tolist()])
