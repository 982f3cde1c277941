"""Two small published maps of the same ground, made up: 600 x 700 pixels, 24 houses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from rasterio.features import rasterize

from components.lib.catalogue.maps import Catalogue
from components.lib.mapping.levels import to_levels
from components.lib.objects.folder import FolderObjects
from components.predict.outputs.facts import FOOTPRINTS, PROBABILITY
from components.predict.outputs.folder import write_rest
from components.predict.outputs.footprints import Footprints
from tests.predict.outputs.examples import GRID, facts, write_footprints, write_probability


def houses() -> list[shapely.Polygon]:
    """Houses of 10 to 15 by 8 to 12 metres in rows, map coordinates."""
    found = []
    for k in range(24):
        x, y = GRID.x_left_m + 70 + 36 * (k % 6), GRID.y_top_m - 60 - 60 * (k // 6)
        found.append(shapely.box(x, y, x + 10 + k % 6, y + 8 + k % 5))
    return found


def later_houses() -> list[shapely.Polygon]:
    """The same a metre to the east, but for one that is gone (4), one enlarged (9) and one new."""
    found = [shapely.transform(house, lambda xy: xy + np.array([1.0, 0.0])) for house in houses()]
    west, south, east, north = found[9].bounds
    found[9] = shapely.box(west, south, east + 12, north)
    del found[4]
    corner = (GRID.x_left_m + 90, GRID.y_top_m - 320)
    return [*found, shapely.box(*corner, corner[0] + 18, corner[1] + 14)]


def publish(
    root: Path, name: str, polygons: list[shapely.Polygon], day: int, *, map_id: str = "", **changes: Any
) -> str:
    """Publish a map of an acquisition into the catalogue in ``root``; return the folder of its item."""
    work = root.parent / f".{root.name}-{name}"
    work.mkdir(parents=True)
    probability = rasterize(
        [(polygon, 0.85) for polygon in polygons],
        out_shape=(GRID.height, GRID.width),
        transform=GRID.transform,
        fill=0.05,
        dtype="float32",
    )
    valid = np.ones(probability.shape, dtype=bool)
    valid[:, :80] = False
    write_probability(work / PROBABILITY, to_levels(probability, valid))
    outlines = np.array(polygons, dtype=object)
    write_footprints(
        work / FOOTPRINTS, Footprints(outlines, np.full(len(outlines), 0.85), shapely.area(outlines))
    )
    about = facts(name=name)
    when = datetime(2030, 6, day, 10, 30, tzinfo=UTC)
    about = replace(about, scene=replace(about.scene, acquired=(when, when)), **changes)
    item = write_rest(work, about, geopackage=False)
    files = {path.name: path for path in work.iterdir()}
    catalogue = Catalogue(FolderObjects(root), prefix="")
    catalogue.add_map(item, files, map_id or name, acquisition=name)
    catalogue.rebuild()
    return str(root / "items" / (map_id or name))
