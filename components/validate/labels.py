"""Features of one tile's GeoJSON of buildings, and of roads."""

from __future__ import annotations

from dataclasses import dataclass

from shapely.geometry import box

from components.contract.errors import BadDataError
from components.lib.datasets.base import RoadLabels
from components.lib.geo.footprints import Labels, read_geojson, to_crs
from components.lib.roads.labels import WIDTHS_M, read_road_lines

MAX_BYTES = 64 * 2**20
"""A tile's labels take some 100 kB; more than this is no label file."""

_MARGIN_M = 2.0
"""Distance beside the tile beyond which a footprint counts as another place's."""

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """Counts of a label file's geometries.

    Attributes:
        count: Usable polygons, the repaired ones included; a multi-part geometry counts by its parts.
        repaired: Invalid (self-intersecting) geometries that preparing repairs.
        unrepairable: Geometries that are malformed, no polygons, or left without area by a repair.
        empty: Empty or null geometries, which preparing drops.
        outside: Usable polygons that lie beside the tile.
        largest_m2: Area of the largest usable polygon, square metres.
    """

    count: int = 0
    repaired: int = 0
    unrepairable: int = 0
    empty: int = 0
    outside: int = 0
    largest_m2: float = 0.0


def read_labels(content: bytes, name: str, *, crs: str) -> Labels:
    """Read the buildings of a GeoJSON file, with the reader that preparing uses.

    Args:
        content: The file's bytes; none at all is how the release writes a tile without buildings.
        name: File name, for messages.
        crs: The tile's CRS.

    Returns:
        Footprints in ``crs``.

    Raises:
        BadDataError: If the bytes are no GeoJSON feature collection or in an unknown CRS.
    """
    _require_small(content, name)
    return to_crs(read_geojson(content, name), crs, name)


def count_labels(labels: Labels, *, bounds: Bounds | None) -> LabelCounts:
    """Count and judge the buildings of a tile.

    Args:
        labels: Result of :func:`read_labels`.
        bounds: The tile's extent in the same CRS; None skips the check against it.
    """
    return LabelCounts(
        count=len(labels.footprints),
        repaired=labels.repaired,
        unrepairable=labels.dropped,
        empty=labels.empty,
        outside=0 if bounds is None else _count_outside(labels, bounds),
        largest_m2=max((footprint.polygon.area for footprint in labels.footprints), default=0.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadCounts:
    """Counts of a file of centre lines.

    Attributes:
        count: Usable lines.
        dropped: Features that are no lines.
        outside: Usable lines beside the tile, by more than half of the widest road.
    """

    count: int
    dropped: int
    outside: int


def count_roads(
    content: bytes, name: str, *, crs: str, bounds: Bounds | None, labels: RoadLabels
) -> RoadCounts:
    """Count and judge the lines of a GeoJSON file, with the reader that preparing uses.

    Args:
        content: The file's bytes.
        name: File name, for messages.
        crs: The tile's CRS.
        bounds: The tile's extent in ``crs``; None skips the check against it.
        labels: Declares the properties.

    Raises:
        BadDataError: If the bytes are no GeoJSON feature collection or in an unknown CRS.
    """
    _require_small(content, name)
    found = read_road_lines(content, name, crs, labels)
    ground = None if bounds is None else box(*bounds).buffer(WIDTHS_M[1] / 2)
    outside = 0 if ground is None else sum(not road.line.intersects(ground) for road in found.lines)
    return RoadCounts(count=len(found.lines), dropped=found.dropped, outside=outside)


def _require_small(content: bytes, name: str) -> None:
    if len(content) > MAX_BYTES:
        raise BadDataError(
            f"{name} holds {len(content):,} bytes, beyond the limit of {MAX_BYTES:,}",
            next_step="fetch the file again, or leave the tile out",
        )


def _count_outside(labels: Labels, bounds: Bounds) -> int:
    ground = box(*bounds).buffer(_MARGIN_M)
    return sum(not footprint.polygon.intersects(ground) for footprint in labels.footprints)
