"""Kinds of district, each with the layout of its blocks.

All layouts draw in the district's frame: streets run along u and v at a fixed pitch, blocks lie between them.
Dimensions are those seen on a real optical tile and a pan-chromatic crop of SpaceNet 6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from components.simulation.objects import Material, ObjectBuilder, Part, Roof, part

Block = tuple[float, float, float, float]
"""u0, v0, u1, v1 of a block's inner rectangle, metres."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of district.

    Attributes:
        name: Its name.
        weight: Probability of the kind in the city.
        outskirts: Its probability in the outskirts, which are built up more sparsely.
        pitch_u: Range of the distance between cross streets, metres.
        pitch_v: Range of the distance between streets, metres.
        street: Street width, metres.
        ground: Ground of the blocks.
        fill: Draws one block.
        forest: Share of the blocks' ground under closed canopy.
    """

    name: str
    weight: float
    outskirts: float
    pitch_u: tuple[float, float]
    pitch_v: tuple[float, float]
    street: float
    ground: Material
    fill: Callable[[np.random.Generator, ObjectBuilder, Block], None]
    forest: float = 0.0


def _dim(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high))


def _trees(rng: np.random.Generator, builder: ObjectBuilder, area: Block, count: int) -> None:
    u0, v0, u1, v1 = area
    if u1 <= u0 or v1 <= v0:
        return
    for _ in range(count):
        radius = _dim(rng, 1.2, 4.8)
        builder.tree(_dim(rng, u0, u1), _dim(rng, v0, v1), radius, radius * _dim(rng, 1.8, 3.2))


def _kerb(
    rng: np.random.Generator, builder: ObjectBuilder, block: Block, *, cars: float, trees: float
) -> None:
    """Street trees and parallel parking along the two long sides of a block."""
    u0, v0, u1, v1 = block
    for v, out in ((v0, -1.0), (v1, 1.0)):
        for u in np.arange(u0 + 3, u1 - 3, 6.2):
            if rng.random() < cars:
                builder.slot(float(u), v + out * 2.6, 0.0)
        for u in np.arange(u0 + _dim(rng, 2, 8), u1 - 2, 9.0):
            if rng.random() < trees:
                builder.tree(float(u), v + out * 0.8, _dim(rng, 1.4, 4.2), _dim(rng, 5, 13))


def _parking(rng: np.random.Generator, builder: ObjectBuilder, area: Block) -> None:
    """Rows of perpendicular parking."""
    u0, v0, u1, v1 = area
    for row, v in enumerate(np.arange(v0 + 2.5, v1 - 2.5, 8.5)):
        for u in np.arange(u0 + 1.5, u1 - 1.5, 2.6):
            if rng.random() < 0.8:
                builder.slot(float(u), float(v) + (row % 2) * 0.4, np.pi / 2)


def row_houses(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Two rows of houses back to back, gardens with sheds between them."""
    u0, v0, u1, v1 = block
    depth, house = _dim(rng, 8.5, 10.5), _dim(rng, 5.2, 6.6)
    eave, rise = _dim(rng, 5.2, 6.4), _dim(rng, 2.5, 4.0)
    tiles = Material.TILES if rng.random() < 0.85 else Material.BITUMEN
    flat = rng.random() < 0.15
    eave, rise, roof = (eave + 2.8, 0.0, Roof.FLAT) if flat else (eave, rise, Roof.GABLE)
    for side, front in ((1.0, v0 + 3.0), (-1.0, v1 - 3.0)):
        u = u0 + _dim(rng, 1, 5)
        while u < u1 - 3 * house:
            count = min(int(rng.integers(3, 11)), int((u1 - 1 - u) / house))
            if count < 2:
                break
            length, tone, v = count * house, float(rng.random()), front + side * depth / 2

            def row(start: float, end: float, v: float, tone: float = tone) -> Part:
                size = ((end - start) / 2, depth / 2)
                return part((start + end) / 2, v, size, eave, tiles, tone=tone, roof=roof, rise=rise)

            if count >= 6 and rng.random() < 0.35:
                # A staggered row: half of the houses stand back a little. The parts overlap by a hand's
                # breadth, so that rounding cannot tear the building apart.
                middle = u + (count // 2) * house
                back = v + side * _dim(rng, 1.0, 2.2)
                builder.building(row(u, middle, v), row(middle - 0.1, u + length, back))
            else:
                builder.building(row(u, u + length, v))
            _gardens(rng, builder, (u, front + side * (depth + 2.5), u + length, (v0 + v1) / 2), house)
            u += length + _dim(rng, 2.5, 7.0)
    _kerb(rng, builder, block, cars=0.75, trees=0.55)


def _gardens(rng: np.random.Generator, builder: ObjectBuilder, area: Block, house: float) -> None:
    """Sheds (most below the 20 m2 that labels start at) and garden trees behind a row."""
    u0, near, u1, far = area
    depth = far - near
    if abs(depth) < 4:
        return
    for u in np.arange(u0 + house / 2, u1, house).tolist():
        if rng.random() < 0.16:
            a, b = _dim(rng, 1.2, 2.4), _dim(rng, 1.0, 1.8)
            v = far - float(np.sign(depth)) * (b + _dim(rng, 0.3, 1.2))
            builder.building(_shed(rng, u, v, (max(a, b), min(a, b))))
        if rng.random() < 0.3:
            size = (abs(depth) / 2 - 1.0, 0.12)
            fence = part(u + house / 2, near + depth / 2, size, 1.8, Material.GARDEN, angle=np.pi / 2)
            builder.box(fence)
        for _ in range(int(rng.poisson(0.7))):
            builder.tree(
                u + _dim(rng, -2, 2),
                near + depth * _dim(rng, 0.0, 0.8),
                _dim(rng, 0.8, 3.0),
                _dim(rng, 2.5, 8),
            )


def _shed(rng: np.random.Generator, u: float, v: float, size: tuple[float, float]) -> Part:
    return part(u, v, size, _dim(rng, 2.0, 3.0), Material.BITUMEN, tone=float(rng.random()))


def slabs(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Apartment slabs on lawns, with parking."""
    u0, v0, u1, v1 = block
    floors = int(rng.choice([3, 4, 4, 5, 6, 9, 12], p=[0.2, 0.2, 0.2, 0.15, 0.1, 0.1, 0.05]))
    height, tone = floors * 3.0 + 0.5, float(rng.random())
    depth, length = _dim(rng, 10.5, 14.0), min(_dim(rng, 45, 95), u1 - u0 - 12)
    material = Material.PEBBLE_ROOF if rng.random() < 0.6 else Material.BITUMEN
    u, v, size = (u0 + u1) / 2 + _dim(rng, -4, 4), v0 + 7 + depth / 2, (length / 2, depth / 2)
    slab = part(u, v, size, height, material, tone=tone)
    wing = min(_dim(rng, 15, 30), v1 - v - depth / 2 - 4)
    if wing > 8 and rng.random() < 0.4:
        wing_u = u + (length - depth) / 2 * float(rng.choice([-1.0, 1.0]))
        wing_v, wing_size = v + depth / 2 + wing / 2 - 0.5, (wing / 2 + 0.5, depth / 2)
        builder.building(
            slab, part(wing_u, wing_v, wing_size, height - 3.0, material, tone=tone, angle=np.pi / 2)
        )
    else:
        builder.building(slab)
        if v1 - v0 > 62 and rng.random() < 0.7:
            builder.building(part(u, v1 - 7 - depth / 2, size, height, material, tone=tone))
    _parking(rng, builder, (u0 + 4, v1 - 16, u0 + 4 + 0.4 * (u1 - u0), v1 - 5))
    _trees(rng, builder, (u0 + 2, v + depth / 2 + 5, u1 - 2, v1 - 17), int(rng.integers(8, 30)))
    _trees(rng, builder, (u0, v0, u1, v0 + 6), int(rng.integers(0, 8)))
    _kerb(rng, builder, block, cars=0.6, trees=0.75)


def perimeter(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Draw a closed block of town houses around a courtyard, as two angles."""
    u0, v0, u1, v1 = block
    u0, v0, u1, v1 = u0 + 1.5, v0 + 1.5, u1 - 1.5, v1 - 1.5
    depth, gap = _dim(rng, 10, 12.5), _dim(rng, 3.0, 9.0)
    height = int(rng.integers(4, 7)) * 3.1
    flat = rng.random() < 0.6
    roof, rise = (Roof.FLAT, 0.0) if flat else (Roof.GABLE, 3.0)
    material = Material.BITUMEN if flat else Material.TILES
    half_u, half_v = (u1 - u0) / 2, (v1 - v0) / 2
    mid_u, mid_v = (u0 + u1) / 2, (v0 + v1) / 2
    # The long sides stop short of the far corner, which leaves the gap between the two angles.
    long_size, short_size = (half_u - gap / 2, depth / 2), ((half_v - depth / 2) / 2 + 0.25, depth / 2)
    for sign in (-1.0, 1.0):
        tone, tall = float(rng.random()), height + float(rng.integers(-1, 2)) * 3.1
        long_u, long_v = mid_u - sign * gap / 2, mid_v + sign * (half_v - depth / 2)
        short_u = mid_u - sign * (half_u - depth / 2)
        short_v = mid_v + sign * (half_v - depth - short_size[0] + 0.5)
        builder.building(
            part(long_u, long_v, long_size, tall, material, tone=tone, roof=roof, rise=rise),
            part(
                short_u, short_v, short_size, tall, material, tone=tone, roof=roof, rise=rise, angle=np.pi / 2
            ),
        )
    yard = (u0 + depth + 3, v0 + depth + 3, u1 - depth - 3, v1 - depth - 3)
    for _ in range(int(rng.integers(0, 5))):
        u, v = _dim(rng, yard[0] + 4, yard[2] - 4), _dim(rng, yard[1] + 2, max(yard[3] - 2, yard[1] + 2.1))
        builder.building(_shed(rng, u, v, (_dim(rng, 2.0, 4.5), _dim(rng, 1.5, 2.0))))
    _trees(rng, builder, yard, int(rng.integers(2, 14)))
    _kerb(rng, builder, block, cars=0.8, trees=0.35)


def industry(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Halls with offices, yards with trucks and stacked containers."""
    u0, v0, u1, v1 = block
    u, last = u0 + _dim(rng, 4, 10), v1 - _dim(rng, 22, 34)
    while u < u1 - 22:
        length, depth = min(_dim(rng, 20, 75), u1 - u - 4), min(_dim(rng, 18, 60), last - v0 - 5)
        builder.building(*_hall(rng, u, v0 + 5, length, depth))
        u += length + _dim(rng, 7, 16)
    for _ in range(int(rng.integers(0, 20))):
        stack, angle = float(rng.integers(1, 4)) * 2.6, float(rng.choice([0.0, np.pi / 2]))
        at = (_dim(rng, u0 + 8, u1 - 8), _dim(rng, last + 4, v1 - 4))
        builder.box(part(*at, (6.1, 1.25), stack, Material.BOX, tone=float(rng.random()), angle=angle))
    for _ in range(int(rng.integers(1, 9))):
        builder.slot(_dim(rng, u0 + 8, u1 - 8), _dim(rng, last + 9, v1 - 3), _dim(rng, -0.2, 0.2), truck=True)
    _parking(rng, builder, (u0 + 3, v1 - 7, u0 + 3 + _dim(rng, 10, 40), v1 - 1))
    _kerb(rng, builder, block, cars=0.25, trees=0.25)


def _hall(rng: np.random.Generator, u: float, v: float, length: float, depth: float) -> list[Part]:
    """Draw a hall with its near corner at (u, v), with or without the office in front of it."""
    eave = _dim(rng, 5.5, 13.0)
    roof = Roof(int(rng.choice([Roof.FLAT, Roof.GABLE, Roof.SAWTOOTH], p=[0.55, 0.25, 0.2])))
    rise = {Roof.FLAT: 0.0, Roof.GABLE: 0.09 * depth, Roof.SAWTOOTH: 2.2}[roof]
    material = Material(int(rng.choice([Material.METAL, Material.PEBBLE_ROOF, Material.BITUMEN])))
    turned = length < depth
    size = (depth / 2, length / 2) if turned else (length / 2, depth / 2)
    angle, tone = np.pi / 2 if turned else 0.0, float(rng.random())
    at = (u + length / 2, v + depth / 2)
    parts = [part(*at, size, eave, material, tone=tone, roof=roof, rise=rise, angle=angle)]
    if rng.random() < 0.4 and length > 24:
        office = (u + length * 0.75, v + depth + 4)
        size, height = (length * 0.2, 4.5), _dim(rng, 6, 9.5)
        parts.append(part(*office, size, height, Material.BITUMEN, tone=float(rng.random())))
    return parts


def villas(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Detached and semi-detached houses under trees."""
    u0, v0, u1, v1 = block
    lot = _dim(rng, 17, 25)
    for side, front in ((1.0, v0 + 7.0), (-1.0, v1 - 7.0)):
        for u in np.arange(u0 + lot / 2, u1 - lot / 2 + 1, lot).tolist():
            if rng.random() < 0.1:
                continue
            a, b, turn = (
                _dim(rng, 4.8, min(7.5, (lot - 6) / 2)),
                _dim(rng, 3.8, 5.0),
                float(rng.normal(0, 0.06)),
            )
            v = front + side * b
            builder.building(*_villa(rng, (u, v), (a, b), side, turn))
            if rng.random() < 0.5:
                garage = part(u - a - 2.4, v + side * 7.5, (2.7, 1.6), 2.5, Material.BITUMEN, angle=turn)
                builder.building(garage)
            if rng.random() < 0.7:
                builder.slot(u - a - 2.0, front - side * 2.0, np.pi / 2)
    _trees(rng, builder, (u0, v0 + 18, u1, v1 - 18), int((u1 - u0) / 5))
    _trees(rng, builder, block, int((u1 - u0) / 6))
    _kerb(rng, builder, block, cars=0.3, trees=0.6)


def _villa(
    rng: np.random.Generator, at: tuple[float, float], size: tuple[float, float], side: float, turn: float
) -> list[Part]:
    """Draw a house with a hipped or gabled roof, with or without a lower wing towards the garden."""
    tone, eave, rise = float(rng.random()), _dim(rng, 3.2, 6.2), _dim(rng, 2.5, 4.2)
    roof = Roof.HIP if rng.random() < 0.4 else Roof.GABLE
    parts = [part(*at, size, eave, Material.TILES, tone=tone, roof=roof, rise=rise, angle=turn)]
    if rng.random() < 0.45:
        wing = (_dim(rng, 2.5, 4.0), _dim(rng, 2.0, 2.8))
        where = (at[0] + (size[0] - wing[1]) * 0.9, at[1] + side * (size[1] + wing[0]) * 0.85)
        height = _dim(rng, 2.7, 3.4)
        parts.append(part(*where, wing, height, Material.BITUMEN, tone=tone, angle=turn + np.pi / 2))
    return parts


def centre(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Towers on podiums and large mid-rise blocks."""
    u0, v0, u1, v1 = block
    if rng.random() < 0.45:
        perimeter(rng, builder, block)
        return
    u, v = (u0 + u1) / 2, (v0 + v1) / 2
    a, b = (u1 - u0) / 2 - _dim(rng, 4, 14), (v1 - v0) / 2 - _dim(rng, 4, 12)
    tone = float(rng.random())
    parts = [part(u, v, (a, b), _dim(rng, 5, 14), Material.PEBBLE_ROOF, tone=tone)]
    if rng.random() < 0.7:
        size = min(_dim(rng, 9, 16), a - 1), min(_dim(rng, 7, 12), b - 1)
        at = u + _dim(rng, -1, 1) * (a - size[0] - 0.5), v + _dim(rng, -1, 1) * (b - size[1] - 0.5)
        height = float(np.clip(rng.gamma(3.0, 11.0), 22, 75))
        parts.append(part(*at, size, height, Material.BITUMEN, tone=tone))
    builder.building(*parts)
    _kerb(rng, builder, block, cars=0.5, trees=0.5)


def park(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Lawns and woods (drawn with the ground), a rare pavilion or school."""
    u0, v0, u1, v1 = block
    if rng.random() < 0.3:
        at = (_dim(rng, u0 + 25, u1 - 25), _dim(rng, v0 + 14, v1 - 14))
        material = Material.GREEN_ROOF if rng.random() < 0.3 else Material.BITUMEN
        size = (_dim(rng, 8, 22), _dim(rng, 6, 11))
        builder.building(part(*at, size, _dim(rng, 3.5, 8), material, tone=float(rng.random())))
    _trees(rng, builder, block, int(rng.integers(4, 16)))


def basin(rng: np.random.Generator, builder: ObjectBuilder, block: Block) -> None:
    """Draw a harbour basin with barges: bright long boxes on black water that are no buildings."""
    u0, v0, u1, v1 = block
    for _ in range(int(rng.integers(0, 3))):
        half = _dim(rng, 14, 40)
        at = (_dim(rng, u0 + half, max(u1 - half, u0 + half + 1)), _dim(rng, v0 + 6, v1 - 6))
        size, angle = (half, half / 9 + 1.5), float(rng.normal(0, 0.1))
        tone = float(rng.random())
        builder.box(part(*at, size, _dim(rng, 1.5, 4.5), Material.BOX, tone=tone, angle=angle))


KINDS = (
    Kind("row houses", 0.32, 0.02, (90, 150), (54, 62), 9.0, Material.GARDEN, row_houses),
    Kind("slabs", 0.17, 0.14, (80, 125), (62, 92), 9.0, Material.GRASS, slabs),
    Kind("perimeter", 0.12, 0.0, (75, 110), (58, 76), 12.0, Material.PAVING, perimeter),
    Kind("industry", 0.15, 0.04, (130, 190), (95, 130), 10.0, Material.GRAVEL, industry),
    Kind("villas", 0.09, 0.36, (100, 150), (62, 78), 7.0, Material.GARDEN, villas),
    Kind("centre", 0.06, 0.0, (70, 100), (62, 85), 13.0, Material.PAVING, centre),
    Kind("park", 0.06, 0.38, (150, 220), (120, 180), 3.5, Material.GRASS, park, forest=0.45),
    Kind("basin", 0.03, 0.06, (200, 260), (150, 200), 0.0, Material.WATER, basin),
)
"""All kinds of district."""
