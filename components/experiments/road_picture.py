"""Draw a simulated tile of roads (`python -m components.experiments.road_picture --out roads.jpg`).

Four panels: the optical image; the true mask with its centre lines; OpenStreetMap with simulated errors
against that mask; the graph traced from the mask. No network takes part.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import shapely
from PIL import Image
from rasterio.transform import Affine, from_origin

from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.lib.cli import run
from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.files import atomic_file
from components.lib.geo.geoarray import PixelTransform
from components.lib.report.panels import (
    Colour,
    Picture,
    difference_panel,
    graph_panel,
    heading_strip,
    squared,
    tiled,
    truth_panel,
)
from components.lib.roads.apls.rules import JAVA, PIXEL_M
from components.lib.roads.apls.score import score_lines
from components.lib.roads.graph.model import Floats, RoadGraph
from components.lib.roads.labels import RoadLine, rasterise_roads, within_tile
from components.lib.roads.tracing.mask import Mask, RoadMask
from components.lib.roads.tracing.trace import TracedRoads, trace_roads
from components.simulation.change.imaging import Date, optical_image
from components.simulation.city import City, city_of
from components.simulation.conditions import AUGUST
from components.simulation.frame import GSD_M, Frame
from components.simulation.openstreetmap.noise import PRESETS
from components.simulation.openstreetmap.roads import noisy_roads
from components.simulation.streets import streets_in

SIDE_PX: Final = 720
"""Side of the tile, pixels of 0.5 m."""

HALF_WIDTH_M: Final = 4.0
"""Distance from a centre line up to which the masks of the picture are road, metres."""

AROUND_M: Final = 150.0
"""Ground around the tile whose streets the extract is drawn from, metres."""

HEADINGS: Final = ("image", "true roads", "OpenStreetMap", "traced graph")

EDGE: Final[Colour] = (240, 228, 66)
NODE: Final[Colour] = (213, 94, 0)
CENTRE: Final[Colour] = (0, 114, 178)

_PANEL_PX: Final = 460
_GAP_PX: Final = 8
_HEADING_PX: Final = 48
_QUALITY: Final = 80
_DIMMED: Final = 0.6
"""Brightness of the image under the graph."""


def main() -> None:
    """Draw the tile, and print the figures that belong to it."""
    parser = argparse.ArgumentParser(
        prog="python -m components.experiments.road_picture",
        description="Draw a simulated tile of roads: image, truth, OpenStreetMap with errors, traced graph.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=".jpg or .png to write")
    parser.add_argument("--seed", type=int, default=20190804, help="seed of the city (%(default)s)")
    parser.add_argument(
        "--corner", type=float, nargs=2, default=(593770.0, 5752250.0), metavar=("EAST", "NORTH"),
        help="north-western corner of the tile, metres of EPSG:32631 (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--noise", default="vegas", help="errors of OpenStreetMap (%(default)s)")
    parser.add_argument("--noise-seed", type=int, default=1, help="draws these errors (%(default)s)")
    options = parser.parse_args()
    if options.noise not in PRESETS:
        raise ParameterError(
            f"--noise: there is no preset {options.noise!r}{nearest(options.noise, PRESETS)}",
            next_step=f"use one of {', '.join(PRESETS)}",
        )
    require_picture(options.out)
    west, north = options.corner
    city, frame = city_of(options.seed), Frame(west, north, GSD_M, SIDE_PX, SIDE_PX)
    tile = RoadTile.of(city, frame, options.noise, options.noise_seed)
    save(options.out, [tile.panels(optical_image(Date(city, lambda _: ()), frame, AUGUST))], HEADINGS)
    sys.stdout.write(tile.figures())


@dataclass(frozen=True, slots=True, eq=False)
class RoadTile:
    """True roads of a tile, those of a simulated OpenStreetMap, and both masks.

    Attributes:
        true: True centre lines, cut at the tile's border, in its pixels, (K, 2) each.
        extract: The same of the extract.
        mask: Road within ``HALF_WIDTH_M`` of a true line.
        drawn: (H, W) bool, the same of the extract.
        traced: Graph of ``mask``.
    """

    true: list[Floats]
    extract: list[Floats]
    mask: RoadMask
    drawn: Mask
    traced: TracedRoads

    @classmethod
    def of(cls, city: City, frame: Frame, preset: str, noise_seed: int) -> Self:
        """Return a tile of the city.

        Args:
            city: The city.
            frame: The tile.
            preset: Errors of the extract, a key of ``PRESETS``.
            noise_seed: Draws the errors.
        """
        west, south, east, north = frame.bounds
        streets = streets_in(city, (west - AROUND_M, south - AROUND_M, east + AROUND_M, north + AROUND_M))
        roads = [RoadLine(street.line) for street in streets]
        noisy = [RoadLine(road.line) for road in noisy_roads(streets, PRESETS[preset], noise_seed)]
        mask = RoadMask(
            road=_drawn(roads, frame),
            transform=PixelTransform.north_up(x_left_m=west, y_top_m=north, gsd_m=frame.gsd),
            crs=SIMULATED_AIRBORNE.crs,
        )
        lines = _in_pixels(roads, frame), _in_pixels(noisy, frame)
        return cls(*lines, mask, _drawn(noisy, frame), trace_roads(mask))

    def panels(self, image: Picture) -> list[Picture]:
        """Return the four pictures over an image (H, W, 3) of the tile, by ``HEADINGS``."""
        osm = difference_panel(self.mask.road, self.drawn, image)
        return with_graph([image, true_roads(self.mask.road, image, self.true), osm], self.traced.graph)

    def figures(self) -> str:
        """Return lengths and scores as lines."""
        edges = [shapely.get_coordinates(shape) for shape in self.traced.graph.shapes]
        graph, theirs = (self._apls(lines) for lines in (edges, self.extract))
        km = sum(shapely.LineString(line).length for line in self.true) * GSD_M / 1000
        return (
            f"SIMULATED: {km:.2f} km of streets, traced {self.traced.length_m.sum() / 1000:.2f} km\n"
            f"APLS java: graph {graph:.3f}, OpenStreetMap {theirs:.3f}\n"
        )

    def _apls(self, lines: Sequence[Floats]) -> float:
        factor = GSD_M / PIXEL_M
        true, proposed = ([line * factor for line in side] for side in (self.true, lines))
        return score_lines(true, proposed, JAVA).apls


def require_picture(path: Path) -> None:
    """Check that a picture can be written by this name.

    Raises:
        ParameterError: If its ending is neither of JPEG nor of PNG.
    """
    if path.suffix.lower() not in {".jpg", ".png"}:
        raise ParameterError(f"{path} is neither JPEG nor PNG", next_step="name a .jpg or .png file")


def true_roads(mask: Mask, image: Picture, lines: Sequence[Floats]) -> Picture:
    """Return a true mask (H, W) over an image (H, W, 3), with its centre lines, (K, 2) each."""
    return graph_panel(truth_panel(mask, image), lines, np.empty((0, 2)), CENTRE, CENTRE)


def with_graph(panels: Sequence[Picture], graph: RoadGraph) -> list[Picture]:
    """Return square panels in the picture's size, the image first, and the graph over that image, dimmed.

    Args:
        panels: Pictures of one tile.
        graph: Graph in pixels of the tile.
    """
    large = [squared(panel, _PANEL_PX, Image.Resampling.LANCZOS) for panel in panels]
    dim, factor = (large[0] * np.float32(_DIMMED)).astype(np.uint8), _PANEL_PX / len(panels[0])
    edges = [shapely.get_coordinates(shape) * factor for shape in graph.shapes]
    return [*large, graph_panel(dim, edges, graph.nodes * factor, EDGE, NODE)]


def save(path: Path, rows: Sequence[Sequence[Picture]], headings: Sequence[str]) -> None:
    """Write rows of panels below a heading for each column, as JPEG or PNG by the ending.

    Raises:
        ResourceError: If the file cannot be written.
    """
    sheet = tiled(rows, _GAP_PX)
    sheet = np.concatenate([heading_strip(headings, sheet.shape[1], _GAP_PX, _HEADING_PX), sheet])
    kind = "JPEG" if path.suffix.lower() == ".jpg" else "PNG"
    with atomic_file(path) as temporary:
        Image.fromarray(sheet).save(temporary, format=kind, quality=_QUALITY, optimize=True)


def _drawn(roads: Sequence[RoadLine], frame: Frame) -> Mask:
    size = (frame.rows, frame.cols)
    layers = rasterise_roads(roads, _place(frame), size, half_width_m=HALF_WIDTH_M, own_widths=False)
    return np.asarray(layers[..., 0] > 0)


def _in_pixels(roads: Sequence[RoadLine], frame: Frame) -> list[Floats]:
    parts = within_tile(roads, _place(frame), (frame.rows, frame.cols))
    return [shapely.get_coordinates(line) for line, _ in parts]


def _place(frame: Frame) -> Affine:
    return from_origin(frame.x_left, frame.y_top, frame.gsd, frame.gsd)


if __name__ == "__main__":
    run(main)
