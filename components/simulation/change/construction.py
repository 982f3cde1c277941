"""Building work: extensions that adjoin a building, roofs of another kind, and new buildings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from components.simulation.city import City, Index
from components.simulation.frame import Double
from components.simulation.objects import Material, ObjectBuilder, Records, Roof

GROWTH = (0.2, 0.6)
"""Area of an extension as a share of the old footprint, least and most."""
DEPTH_M = (2.5, 16.0)
"""Distance that an extension reaches from the wall, least and most."""
OVERLAP_M = 0.2
"""Depth to which an extension reaches into the building, so that rounding cannot tear them apart."""
LOW_M = (2.7, 3.8)
"""Height of an extension of one storey."""
LAYOUTS = 5
"""Layouts of a district from which new buildings are taken."""
ROOFS = {
    Material.TILES: (Material.TILES, Material.BITUMEN, Material.METAL),
    Material.BITUMEN: (Material.PEBBLE_ROOF, Material.GREEN_ROOF, Material.METAL),
    Material.PEBBLE_ROOF: (Material.BITUMEN, Material.GREEN_ROOF),
    Material.METAL: (Material.BITUMEN, Material.PEBBLE_ROOF),
    Material.GREEN_ROOF: (Material.BITUMEN, Material.PEBBLE_ROOF),
}
"""Materials that a roof is renewed with."""


def extensions(rng: np.random.Generator, parts: Records, smallest_m2: float) -> Iterator[Records]:
    """Propose extensions of a building, one box each, at all sides of its largest part in random order.

    Args:
        rng: Source of the draws.
        parts: Boxes of the building.
        smallest_m2: Area that an extension has at least, square metres.
    """
    old = 4.0 * float((parts["a"] * parts["b"]).sum())
    main = parts[int(np.argmax(parts["a"] * parts["b"]))]
    half = np.array([main["a"], main["b"]], dtype=np.float64)
    area = max(old * rng.uniform(*GROWTH), 1.2 * smallest_m2)
    for side in rng.permutation(4).tolist():
        across, sign = (1, 0)[side % 2], (1.0, -1.0)[side // 2]
        # `across` is the axis that the extension grows along, `wall` the one it follows.
        wall = 1 - across
        length = 2 * half[wall] * rng.uniform(0.4, 1.0)
        depth = area / length
        if not DEPTH_M[0] <= depth <= DEPTH_M[1]:
            continue
        at = np.zeros(2)
        at[wall] = rng.uniform(-1, 1) * (half[wall] - length / 2)
        at[across] = sign * (half[across] + (depth - OVERLAP_M) / 2)
        size = np.zeros(2)
        size[wall], size[across] = length / 2, (depth + OVERLAP_M) / 2
        yield _extension(rng, main, at, size)


def _extension(rng: np.random.Generator, main: np.void, at: Double, size: Double) -> Records:
    """Return a flat-roofed box at ``at`` of half sides ``size``, both in the frame of the box ``main``."""
    cos, sin = np.cos(main["angle"]), np.sin(main["angle"])
    box: Records = np.array([main])
    box["x"] += at[0] * cos - at[1] * sin
    box["y"] += at[0] * sin + at[1] * cos
    box["a"], box["b"] = size
    # As often as not an extension is lower than the house.
    if main["roof"] != Roof.FLAT or rng.random() < 0.5:
        box["eave"] = min(float(rng.uniform(*LOW_M)), float(main["eave"]))
    box["rise"], box["roof"] = 0.0, Roof.FLAT
    if main["material"] == Material.TILES:
        box["material"] = Material.BITUMEN
    box["tone"] = rng.random()
    return box


def re_roofed(rng: np.random.Generator, parts: Records) -> Records:
    """Return a building's boxes with new roofs: of another brightness, most of another material."""
    parts = parts.copy()
    for k, material in enumerate(parts["material"].tolist()):
        others = ROOFS[Material(material)]
        parts["material"][k] = others[int(rng.integers(len(others)))]
    parts["tone"] = np.mod(parts["tone"] + rng.uniform(0.35, 0.65), 1.0)
    return parts


def new_buildings(city: City, index: Index, seed: int) -> Iterator[tuple[Records, shapely.Polygon]]:
    """Propose buildings by the rules of a district: those of other draws of its layout.

    They overlap each other and the district's buildings; the caller takes those that stand free.

    Args:
        city: The city.
        index: District.
        seed: Draws the layouts and the order within each.

    Yields:
        Boxes and footprint (EPSG:32631) of each.
    """
    site, region = city.district(index), city.region(index)
    blocks = city.blocks(site, region)
    for layout in range(LAYOUTS):
        rng = np.random.default_rng([seed, 74, layout, *index])
        builder = ObjectBuilder()
        for block in blocks:
            site.kind.fill(rng, builder, block)
        drawn = builder.place(site.x, site.y, site.angle, region)
        for k in rng.permutation(len(drawn.polygons)).tolist():
            yield drawn.boxes[drawn.boxes["building"] == k], drawn.polygons[k]


def buildable(city: City, index: Index) -> BaseGeometry:
    """Return the ground of a district's blocks, EPSG:32631: off streets, roads around it and water."""
    site, region = city.district(index), city.region(index)
    blocks = shapely.union_all([shapely.box(*block) for block in city.blocks(site, region)])
    cos, sin = np.cos(site.angle), np.sin(site.angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    ground: BaseGeometry = shapely.transform(blocks, lambda uv: uv @ turn + [site.x, site.y])
    ground = ground.intersection(region)
    shapely.prepare(ground)
    return ground
