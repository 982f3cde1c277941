"""Added, removed and enlarged buildings: the difference of two footprint maps of the same ground.

The baseline that a learned method must beat. It needs no training and no images: buildings are matched by the
share of their ground that the other map explains (:mod:`components.lib.change.footprints.leftover`). It sees
as much as the two maps do, so each building that one map missed and the other found is a false change; the
confidence says how far both maps support it. A building that was replaced by one of the same outline is no
change here, nor is a new roof.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import geopandas
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from rasterio.crs import CRS

from components.contract.errors import BadDataError
from components.lib.change.footprints.ground import Ground
from components.lib.change.footprints.leftover import (
    Geometries,
    LeftOver,
    find_neighbours,
    left_over,
)
from components.lib.change.footprints.rules import FootprintRules
from components.lib.geo.crs import is_geographic, move, same_crs

COLUMNS: Final = (
    "kind",
    "confidence",
    "area_m2",
    "building",
    "before_map",
    "after_map",
    "before_date",
    "after_date",
)
"""Columns of a table of changes beside ``geometry``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FootprintMap:
    """Buildings of one map.

    Attributes:
        id: Id of the map, or name of its file.
        polygons: (N,) valid shapely polygons, in coordinates of ``crs``.
        confidence: (N,) 0 to 1.
        names: (N,) id of each building in its map.
        crs: ``EPSG:<code>`` or WKT; a projected one in metres.
        date: Time of the acquisition, UTC; None if unknown.
        ground: Knowledge of what the map observed; None takes all ground for observed, and ground without a
            building for ground that surely has none.
    """

    id: str
    polygons: Geometries
    confidence: npt.NDArray[np.float64]
    names: npt.NDArray[np.object_]
    crs: str
    date: datetime | None = None
    ground: Ground | None = None


@dataclass(frozen=True, slots=True)
class BuildingChanges:
    """Changes between two maps.

    Attributes:
        table: GeoDataFrame of ``COLUMNS`` and ``geometry`` (changed ground) in the CRS of the map before:
            kind (``added``, ``removed`` or ``enlarged``), confidence 0 to 1, area_m2 of the changed ground,
            building (its id in the map after or, if removed, in the map before), ids and dates of both maps.
        unobserved: Changes left out as the other map had no data there.
    """

    table: geopandas.GeoDataFrame
    unobserved: int

    def counts(self) -> dict[str, int]:
        """Return the number of changes of each kind."""
        found = self.table["kind"].value_counts()
        return {kind: int(found.get(kind, 0)) for kind in ("added", "removed", "enlarged")}


def compare_maps(
    before: FootprintMap, after: FootprintMap, rules: FootprintRules | None = None
) -> BuildingChanges:
    """Compare two footprint maps of the same ground.

    An added building's confidence is the one that the map after gives it, times one minus the mean
    probability of a building that the map before shows on the changed ground: the maps' errors are taken for
    independent, their confidences for probabilities. So for enlarged ones and, with the maps' parts
    exchanged, for removed ones.

    Args:
        before: Earlier map.
        after: Later map; reprojected where its CRS is another.
        rules: Thresholds; the defaults of :class:`FootprintRules` if None.

    Raises:
        BadDataError: If a CRS is not one in metres, or the maps share no ground.
    """
    used = rules or FootprintRules()
    _require_metres(before)
    _require_metres(after)
    _require_common_ground(before, after)
    moved = _moved(after.polygons, after.crs, before.crs, after.id)
    near = find_neighbours(before.polygons, moved, used.tolerance_m)
    gone = left_over(before.polygons, moved, near, used)
    new = left_over(moved, before.polygons, near.exchanged(), used)
    kinds = np.where(new.whole, "added", "enlarged")
    added, hidden_new = _rows(new, kinds, after, before, used, crs=before.crs)
    removed, hidden_gone = _rows(
        gone, np.full(len(gone.building), "removed"), before, after, used, crs=before.crs
    )
    table = pd.concat([part for part in (added, removed) if len(part)] or [added], ignore_index=True)
    table = table.assign(
        before_map=before.id,
        after_map=after.id,
        before_date=pd.Series(before.date, index=table.index, dtype="datetime64[ms, UTC]"),
        after_date=pd.Series(after.date, index=table.index, dtype="datetime64[ms, UTC]"),
    )
    frame = geopandas.GeoDataFrame(table[[*COLUMNS, "geometry"]], geometry="geometry", crs=before.crs)
    return BuildingChanges(frame, hidden_new + hidden_gone)


def _rows(
    found: LeftOver,
    kinds: npt.NDArray[np.str_],
    own: FootprintMap,
    other: FootprintMap,
    rules: FootprintRules,
    *,
    crs: str,
) -> tuple[pd.DataFrame, int]:
    """Return the changes of one direction as a table, and how many the other map could not have seen."""
    probability, seen = np.zeros(len(found.building)), np.ones(len(found.building), dtype=bool)
    if other.ground is not None and len(found.building):
        looked = other.ground.observe(_moved(found.ground, crs, other.crs, other.id))
        probability, seen = looked.probability, looked.share >= rules.observed_share
    building = found.building[seen]
    ground = found.ground[seen]
    rows = pd.DataFrame(
        {
            "kind": kinds[seen],
            "confidence": own.confidence[building] * (1.0 - probability[seen]),
            "area_m2": shapely.area(ground),
            "building": own.names[building],
            "geometry": ground,
        }
    )
    return rows, int(np.count_nonzero(~seen))


def _moved(geometries: Geometries, source: str, target: str, name: str) -> Geometries:
    """Return geometries in another CRS."""
    if same_crs(source, target, name):
        return geometries
    return np.asarray(shapely.transform(geometries, lambda xy: move(xy, source, target, name)), dtype=object)


def _require_metres(one: FootprintMap) -> None:
    if is_geographic(one.crs, one.id) or CRS.from_user_input(one.crs).linear_units_factor[1] != 1.0:
        raise BadDataError(
            f"map {one.id} is in {one.crs[:40]}, which does not count metres",
            next_step="reproject it to the UTM zone of the place",
        )


def _require_common_ground(before: FootprintMap, after: FootprintMap) -> None:
    if before.ground is None or after.ground is None:
        return
    there = _moved(np.array([after.ground.extent], dtype=object), after.crs, before.crs, after.id)[0]
    if not before.ground.extent.intersects(there):
        raise BadDataError(
            f"maps {before.id} and {after.id} show no common ground", next_step="compare maps of one place"
        )
