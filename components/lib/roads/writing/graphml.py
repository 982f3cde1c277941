"""Road graphs as GraphML, for NetworkX, OSMnx, Gephi and the like."""

from __future__ import annotations

from pathlib import Path

import networkx  # type: ignore[import-untyped]
import numpy as np
import shapely

from components.lib.files import atomic_file
from components.lib.roads.tracing.trace import TracedRoads
from components.lib.roads.writing.attributes import decimals_of, numbers_of


def write_graphml(path: Path, roads: TracedRoads) -> None:
    """Write an undirected multigraph in the raster's CRS; the same graph gives the same bytes.

    The graph states its CRS; nodes have ``x`` and ``y``, edges the attributes of
    :data:`components.lib.roads.writing.attributes.NUMBERS` and their shape as well-known text, ``geometry``.

    Args:
        path: File to write.
        roads: The graph.

    Raises:
        ResourceError: If the disk is full.
    """
    decimals = decimals_of(roads.crs)
    graph = networkx.MultiGraph(crs=roads.crs)
    for number, (x, y) in enumerate(np.round(roads.nodes_on_map(), decimals).tolist()):
        graph.add_node(number, x=x, y=y)
    numbers = {name: values.tolist() for name, values in numbers_of(roads).items()}
    shapes = shapely.to_wkt(roads.on_map(), rounding_precision=decimals).tolist()
    for edge, (start, end) in enumerate(roads.graph.ends.tolist()):
        values = {name: column[edge] for name, column in numbers.items()}
        graph.add_edge(start, end, key=edge, **values, geometry=shapes[edge])
    with atomic_file(path) as temporary:
        # The writer of the standard library: that of lxml is taken where it is installed, with other bytes.
        networkx.write_graphml_xml(graph, temporary)
