"""Web page of a map of roads: one HTML file, like the page of a map of buildings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from components.predict.outputs import facts as names
from components.predict.outputs.facts import MapFacts
from components.predict.outputs.page import write_map_page
from components.predict.outputs.roads.reading import RoadSummary
from components.predict.outputs.roads.tables import LAYER

_TITLES: Final = {
    names.ROADS: "Road graph, GeoParquet",
    names.ROAD_GRAPH: "Road graph, GraphML",
    names.ROAD_GEOPACKAGE: "Road graph, GeoPackage",
    names.PROBABILITY: "Probability, GeoTIFF",
    names.ROAD_TILES: "Roads, PMTiles",
    names.ITEM: "Description, STAC item",
}


def write_road_page(folder: Path, facts: MapFacts, summary: RoadSummary) -> None:
    """Write ``index.html`` from the files of a map of roads that ``folder`` holds.

    Args:
        folder: Folder with ``probability.tif``, ``roads.pmtiles`` and what else there is to link to;
            ``item.json`` is linked to, and may be written later.
        facts: Facts of the map, its threshold among them.
        summary: Numbers of its roads.
    """
    write_map_page(
        folder,
        facts,
        "roads",
        tiles=names.ROAD_TILES,
        titles=_TITLES,
        data={
            "tiles": {"roads": names.ROAD_TILES},
            "layer": LAYER.name,
            "longest": [asdict(road) for road in summary.longest],
        },
        values={"summary": summary, "speeds": _speeds(summary), "km": _km, "layer": LAYER.name},
    )


def _speeds(summary: RoadSummary) -> list[dict[str, Any]]:
    """Return speed, length and share in whole per cent of the longest class, for the bars."""
    most = max((length for _, length in summary.by_speed), default=1.0)
    return [
        {"kmh": speed, "length_m": length, "share": round(100 * length / most)}
        for speed, length in summary.by_speed
    ]


def _km(length_m: float) -> str:
    """Return kilometres with one decimal, or two below 10 km."""
    km = length_m / 1000
    return f"{km:,.2f}" if km < 10 else f"{km:,.1f}"
