"""Road graphs of predicted tiles, scored against the true centre lines by APLS in the definition ``java``.

The predicted mask of each tile is traced by itself, north-up, and both graphs are brought to the scorer's
pixels of 0.31 m. Faults of lines are repaired on both sides, as one of them would end the original scorer
(docs/methods/metrics.md, "Graph metrics").
"""

from __future__ import annotations

from collections.abc import Iterable

import shapely
from shapely.geometry.base import BaseGeometry

from components.lib.geo.geoarray import GeoArray
from components.lib.roads.apls.rules import JAVA, PIXEL_M
from components.lib.roads.apls.score import score_lines
from components.lib.roads.graph.drawn import Road
from components.lib.roads.graph.faults import repaired
from components.lib.roads.graph.model import Floats
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.trace import trace_roads
from components.lib.scoring.tables import GraphScore
from components.lib.store.store import Store
from components.lib.tasks.labels import BAND_OF


class RoadGraphs:
    """True road graphs of a sensor's tiles, which predictions are scored against.

    Args:
        store: A store of roads.
        sensor: Sensor of the tiles.

    Raises:
        MissingInputError: If the store has no table of roads, naming the stage that makes it.
        BadDataError: If that table is damaged.
    """

    def __init__(self, store: Store, sensor: str) -> None:
        index = store.index[store.index["sensor"] == sensor]
        self._lines = {name: store.centre_lines(name, sensor) for name in index["image_id"]}

    def score(
        self, image_id: str, prediction: GeoArray, threshold: float, hidden: BaseGeometry | None
    ) -> GraphScore:
        """Trace the predicted roads of a tile and score their graph.

        Args:
            image_id: Name of the tile.
            prediction: Probabilities, turned or not; pixels that do not count are not valid.
            threshold: Probability above which a pixel is road.
            hidden: Outline of the pixels without data, north-up pixel coordinates; true roads on them are
                not looked for. None if there are none.
        """
        mask = RoadMask.of_probability(prediction, threshold, BAND_OF["roads"])
        per_pixel = mask.pixel_m()[0] / PIXEL_M
        truth = _repaired(_seen(self._lines[image_id], hidden), per_pixel)
        proposal = _repaired(trace_roads(mask).graph.shapes, per_pixel)
        return GraphScore(score_lines(truth, proposal, JAVA), has_roads=bool(truth))


def _seen(lines: list[shapely.LineString], hidden: BaseGeometry | None) -> list[BaseGeometry]:
    """Return the parts of lines outside a region."""
    if hidden is None:
        return list(lines)
    parts: list[BaseGeometry] = []
    for line in lines:
        outside = shapely.difference(line, hidden) if shapely.intersects(line, hidden) else line
        parts += shapely.get_parts(outside).tolist()
    return parts


def _repaired(lines: Iterable[BaseGeometry], factor: float) -> list[Floats]:
    """Return the vertices of lines in pixels of the scorer, none repeated."""
    parts = tuple(shapely.get_coordinates(line) * factor for line in lines)
    return repaired([Road(place="", parts=parts)], close=JAVA.close, grid=JAVA.grid).lines
