"""``python -m components.predict roads --mask MASK --out FILE``: the road graph of a raster."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Final

from components.contract.errors import ParameterError
from components.lib.roads.tracing.reading import read_mask
from components.lib.roads.tracing.rules import TracingRules
from components.lib.roads.tracing.trace import TracedRoads, trace_roads
from components.lib.roads.writing.wkt_csv import check_image_id
from components.predict.roads.files import check_outputs, check_place, write_roads
from components.predict.roads.picture import draw_graph, read_picture

_LOG = logging.getLogger(__name__)

_MOST_ROAD: Final = 0.5
"""Share of a raster that is road beyond which a doubt is told: dense cities have a fifth at most."""

_DEFAULTS: Final = TracingRules()
_HELP: Final = {
    "least_area_m2": "least area of an object or a hole, square metres",
    "spur_m": "least length of a road with a dead end, metres",
    "simplify_m": "tolerance of the shapes, metres",
    "gap_m": "largest gap between dead ends that is closed, metres",
    "long_gap_m": "largest gap that is closed in one line, metres",
}
"""Rules that the command line can set, by name, with their meaning."""


def add_command(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser."""
    parser.add_argument(
        "--mask",
        type=Path,
        required=True,
        metavar="FILE",
        help="GeoTIFF of one band with a CRS: a mask (all but 0 is road) or probabilities",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        nargs="+",
        metavar="FILE",
        help="files to write, by endings: .geojson or .json, .parquet, .graphml, .csv (ImageId,WKT_Pix)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help=f"a pixel is road where its value exceeds this (probabilities: {_DEFAULTS.threshold:g}; "
        "masks: all but 0 is road)",
    )
    for name, meaning in _HELP.items():
        parser.add_argument(
            f"--{_flag(name)}",
            type=float,
            default=getattr(_DEFAULTS, name),
            dest=name,
            metavar="M2" if name.endswith("m2") else "M",
            help=f"{meaning} (%(default)s)",
        )
    parser.add_argument(
        "--map-crs",
        action="store_true",
        help="GeoJSON in the raster's CRS, stated in a crs member, instead of longitude and latitude",
    )
    parser.add_argument("--image-id", metavar="ID", help="ImageId of the CSV (default: the mask's name)")
    parser.add_argument(
        "--picture", type=Path, metavar="PNG", help="draw the graph over the image or the mask"
    )
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="image of the same pixels under the picture"
    )


def map_roads(options: argparse.Namespace) -> str:
    """Trace the roads of a raster, write the files, and return a summary in one line each.

    Raises:
        StormsightError: If the raster cannot be read or traced, or a file cannot be written.
    """
    check_outputs(options.out)
    image_id = _checked_image_id(options)
    _check_picture(options)
    rules = TracingRules(**{name: getattr(options, name) for name in _HELP})
    mask = read_mask(options.mask, options.threshold, rules.threshold)
    under = None if options.picture is None else read_picture(options.image, mask)
    if (share := float(mask.road.mean())) > _MOST_ROAD:
        _LOG.warning(
            "%.0f %% of %s is road: are its values turned around, or the threshold too low?",
            100 * share,
            options.mask,
        )
    roads = trace_roads(mask, rules)
    write_roads(options.out, roads, image_id=image_id, lon_lat=not options.map_crs)
    if under is not None:
        draw_graph(options.picture, under, roads)
    written = [*options.out, *([options.picture] if options.picture else [])]
    return "\n".join((_summary(roads), *(f"  {path}" for path in written)))


def _flag(name: str) -> str:
    return name.removesuffix("_m2").removesuffix("_m").replace("_", "-")


def _checked_image_id(options: argparse.Namespace) -> str:
    """Return the id of the image in a CSV; refuse options of files that are not written."""
    endings = {path.suffix.lower() for path in options.out}
    if options.image_id is not None and ".csv" not in endings:
        raise ParameterError("--image-id is only written into a CSV", next_step="add a .csv file to --out")
    if options.map_crs and not endings & {".geojson", ".json"}:
        raise ParameterError(
            "--map-crs is only for GeoJSON", next_step="add a .geojson file to --out, or leave it out"
        )
    image_id: str = options.mask.stem if options.image_id is None else options.image_id
    if ".csv" in endings:
        check_image_id(image_id)
    return image_id


def _check_picture(options: argparse.Namespace) -> None:
    if options.picture is not None and options.picture.suffix.lower() != ".png":
        raise ParameterError(f"{options.picture} is no PNG", next_step="name a .png file")
    if options.picture is not None:
        check_place(options.picture)
    if options.image is not None and options.picture is None:
        raise ParameterError("--image is only drawn in a picture", next_step="add --picture FILE.png")


def _summary(roads: TracedRoads) -> str:
    if not len(roads):
        return "no road"
    return (
        f"{len(roads)} roads between {len(roads.graph.nodes)} junctions and ends, "
        f"{roads.length_m.sum() / 1000:.2f} km"
    )
