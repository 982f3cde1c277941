"""From a mask of roads to the graph of their centre lines.

The whole mask of a scene is traced at once, as a skeleton of parts is none of the whole: the graph is the
same whatever tiles or blocks the raster was written or read in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from components.lib.geo.geoarray import PixelTransform
from components.lib.geo.metric import ground_lengths, in_metres
from components.lib.roads.graph.model import Floats, RoadGraph
from components.lib.roads.tracing.chains import edges_of
from components.lib.roads.tracing.edges import Edges
from components.lib.roads.tracing.gaps import joined
from components.lib.roads.tracing.mask import RoadMask
from components.lib.roads.tracing.pruning import merged, simplified, without_spurs
from components.lib.roads.tracing.rules import TracingRules
from components.lib.roads.tracing.skeleton import cleaned, skeleton_of
from components.lib.roads.tracing.widths import half_widths, speeds_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TracedRoads:
    """Road graph of a raster.

    Attributes:
        graph: Graph in pixels of the raster: x to the right, y down, (0, 0) its top left corner. Edges run
            from their end of smaller (y, x), and are in that order.
        transform: From these pixels to coordinates of ``crs``.
        crs: ``EPSG:<code>`` or WKT.
        length_m: (E,) length of each edge, metres; on the ellipsoid where ``crs`` counts no metres.
        width_m: (E,) mean width of the mask along each edge, metres.
        speed_kmh: (E,) speed inferred from the width, km/h; ours, not measured.
    """

    graph: RoadGraph
    transform: PixelTransform
    crs: str
    length_m: Floats
    width_m: Floats
    speed_kmh: Floats

    def __len__(self) -> int:
        return len(self.length_m)

    @property
    def travel_s(self) -> Floats:
        """(E,) time to pass each edge, seconds."""
        return self.length_m / (self.speed_kmh / 3.6)

    def on_map(self) -> npt.NDArray[np.object_]:
        """Return the shapes of the edges in coordinates of ``crs``, (E,) LineStrings."""
        return np.asarray(shapely.transform(self.graph.shapes, self.transform.apply), dtype=object)

    def nodes_on_map(self) -> Floats:
        """Return the nodes in coordinates of ``crs``, (N, 2)."""
        return self.transform.apply(self.graph.nodes)


def trace_roads(mask: RoadMask, rules: TracingRules | None = None) -> TracedRoads:
    """Trace the roads of a mask; a mask without a road gives a graph without an edge.

    Raises:
        BadDataError: If the raster's pixels are no rectangles, or its CRS is no horizontal one.
    """
    rules = rules or TracingRules()
    pixel_m = mask.pixel_m()
    road = cleaned(mask.road, pixel_m, rules)
    skeleton = skeleton_of(road, pixel_m, rules)
    edges = edges_of(skeleton, half_widths(road, skeleton, pixel_m), pixel_m)
    edges = simplified(merged(without_spurs(edges, rules)), rules)
    return _placed(merged(joined(edges, rules)), mask, pixel_m)


def _placed(edges: Edges, mask: RoadMask, pixel_m: tuple[float, float]) -> TracedRoads:
    graph = _canonical(edges)
    lines = [line / np.array(pixel_m) for line in graph.lines()]
    nodes = graph.graph.nodes / np.array(pixel_m)
    in_pixels = Edges.of_lines(nodes, graph.graph.ends, lines, graph.widths).graph
    width = graph.width_sum / np.maximum(graph.pixels, 1.0)
    return TracedRoads(
        graph=in_pixels,
        transform=mask.transform,
        crs=mask.crs,
        length_m=_lengths(in_pixels, graph.graph.lengths, mask),
        width_m=width,
        speed_kmh=speeds_of(width),
    )


def _lengths(in_pixels: RoadGraph, plane: Floats, mask: RoadMask) -> Floats:
    """Return the lengths of edges, metres: those of the plane, or on the ellipsoid if it only is near it."""
    if in_pixels.is_empty or in_metres(mask.crs, mask.name):
        return plane
    pieces = in_pixels.segments
    start, end = mask.to_map(pieces.start), mask.to_map(pieces.end)
    length = ground_lengths(start, end, mask.crs, mask.name)
    return np.bincount(pieces.edge, weights=length, minlength=len(plane)).astype(np.float64)


def _canonical(edges: Edges) -> Edges:
    """Return edges that start at their end of smaller (y, x), in ascending order of their vertices."""
    if edges.graph.is_empty:
        return edges
    lines, ends = edges.lines(), edges.graph.ends.copy()
    backwards = np.array([_key(line[::-1]) < _key(line) for line in lines])
    lines = [line[::-1] if back else line for line, back in zip(lines, backwards, strict=True)]
    ends[backwards] = ends[backwards, ::-1]
    order = sorted(range(len(lines)), key=[_key(line) for line in lines].__getitem__)
    return Edges.of_lines(
        edges.graph.nodes,
        ends[order],
        [lines[number] for number in order],
        (edges.width_sum[order], edges.pixels[order]),
    )


def _key(line: Floats) -> list[float]:
    """Return the vertices of a line as y, x, y, x, ..."""
    key: list[float] = line[:, ::-1].ravel().tolist()
    return key
