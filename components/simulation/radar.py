"""Side-looking radar geometry: layover, shadow, and the power each patch of surface sends back.

The image is in ground range on flat earth. A plane wave comes down at the incidence angle theta from the
vertical, along image columns. A point at height h appears h / tan(theta) nearer to the sensor than it stands
(layover) and hides what lies within h * tan(theta) behind it (shadow).

Arrays here are turned so that row 0 is nearest to the sensor; :func:`backscatter` turns them back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.simulation import radiometry
from components.simulation.frame import Codes, Double, Float, Frame, Ints, Mask
from components.simulation.noise import Textures, normal_at, uniform_at
from components.simulation.objects import Material, Records
from components.simulation.surface import Surface
from components.simulation.walls import wall_echoes

THROUGH_LEAVES = 0.2
"""Share of the ground's return that survives a crown, both ways."""
STRONG = 30.0
"""Power, in flat pixels of gamma-nought 1, above which a pixel's sidelobes rise above the noise."""
SIDELOBES = (0.02, 0.008, 0.004, 0.0025, 0.0016, 0.0012, 0.0009, 0.0007)
"""Sidelobe levels one, two, ... pixels off."""


@dataclass(frozen=True, slots=True)
class Echoes:
    """Point-like returns.

    Attributes:
        row: Row (fractional, nearest to the sensor first) where each stands, layover not yet applied.
        col: Column.
        height: Height above ground, metres.
        power: Surface-like co-pol, double-bounce and cross-pol, in flat pixels of gamma-nought 1, (3, n).
    """

    row: Double
    col: Ints
    height: Double
    power: Double


@dataclass(frozen=True, slots=True)
class View:
    """A surface seen by one radar: arrays turned nearest row first.

    Attributes:
        surface: Turned heights, slopes (now along range, away from the sensor) and materials.
        reach: Largest ``range + height * tan(theta)`` of anything nearer: shadow lies below it, metres.
        leaf_reach: The same for tree crowns, which only dim.
        gsd: Pixel size, metres.
        tangent: tan(theta).
    """

    surface: Surface
    reach: Float
    leaf_reach: Float
    gsd: float
    tangent: float


def margins(sensor_incidence_deg: float, tallest_m: float) -> tuple[float, float]:
    """Metres of city needed beyond the far and the near edge of an image for its layover and shadow."""
    tangent = float(np.tan(np.radians(sensor_incidence_deg)))
    return tallest_m / tangent + 2.0, tallest_m * tangent + 2.0


def backscatter(
    surface: Surface,
    boxes: Records,
    vehicles: Records,
    frame: Frame,
    *,
    textures: Textures,
    incidence_deg: float,
    from_south: bool,
    rng: np.random.Generator,
) -> Float:
    """Mean power of HH, HV, VH, VV without noise or speckle, float32 (4, rows, cols).

    Args:
        surface: The surface of ``frame``, margins included (:func:`margins`).
        boxes: The scene's boxes, for walls and roof fittings.
        vehicles: Vehicles present at this pass.
        frame: The raster.
        textures: Natural texture of the ground.
        incidence_deg: Angle of the wave from the vertical.
        from_south: True if the sensor stands south of the scene.
        rng: Draws what differs between passes.
    """
    view = look(surface, frame.gsd, float(np.tan(np.radians(incidence_deg))), from_south=from_south)
    texture = _texture(surface, boxes, textures, frame)
    power = surface_power(view, texture[::-1] if from_south else texture, rng)
    walls = wall_echoes(view.surface, view.reach, boxes, frame, view.tangent, from_south=from_south, rng=rng)
    points = _points(boxes, vehicles, frame, from_south=from_south, rng=rng)
    for echoes in (Echoes(*walls), points):
        _deposit(power, echoes, view)
    for mechanism in power:
        _sidelobes(mechanism)
    surf, double, cross = power
    bands = np.stack(
        [
            surf + 1.25 * double,
            cross + 0.06 * double,
            cross * 1.2 + 0.1 * double,
            surf * 1.1 + 0.85 * double,
        ]
    )
    return bands[:, ::-1] if from_south else bands


def _texture(surface: Surface, boxes: Records, textures: Textures, frame: Frame) -> Float:
    """Natural logarithm of how much stronger than its material's mean each patch reflects."""
    clutter = radiometry.CLUTTER[surface.material]
    texture: Float = 0.3 * textures.over("patch", frame) + 0.2 * textures.over("region", frame, 3)
    # Half of the clutter is single things of a pixel, half is bushes and heaps of two metres.
    texture += (0.2 + 0.6 * clutter) * textures.over("grain", frame)
    texture += 0.8 * clutter * textures.over("fine", frame, 7) - 0.5 * clutter**2
    roof = surface.box >= 0
    tone = radiometry.ROOF_SPREAD * normal_at(boxes["x"], boxes["y"], 65)
    texture[roof] += tone[surface.box[roof]].astype(np.float32)
    return texture


def look(surface: Surface, gsd: float, tangent: float, *, from_south: bool) -> View:
    """Turn a surface towards the sensor and find what is hidden."""
    step = -1 if from_south else 1
    turned = Surface(
        height=surface.height[::step],
        slope=surface.slope[::step] * (1.0 if from_south else -1.0),
        material=surface.material[::step],
        canopy=surface.canopy[::step],
        box=surface.box[::step],
    )
    distance = (np.arange(surface.height.shape[0], dtype=np.float32) * np.float32(gsd))[:, None]
    leafy = turned.canopy.astype(bool)
    rigid: Float = np.where(leafy, 0, turned.height).astype(np.float32)
    solid: Float = distance + rigid * np.float32(tangent)
    leaves: Float = distance + turned.height * np.float32(tangent)
    return View(turned, _before(solid), _before(leaves), gsd, tangent)


def _before(reach: Float) -> Float:
    """Running maximum over all nearer rows, the row itself excluded."""
    highest = np.maximum.accumulate(reach, axis=0)
    result = np.empty_like(highest)
    result[0] = -np.inf
    result[1:] = highest[:-1]
    return result


def surface_power(view: View, texture: Float, rng: np.random.Generator) -> Float:
    """Ground, roofs and crowns, without walls: surface, double-bounce and cross power, nearest row first.

    Args:
        view: The turned surface.
        texture: Turned; natural logarithm of how much stronger than its material's mean each patch reflects.
        rng: Draws the depth that crowns scatter from.
    """
    surface, t = view.surface, np.float32(view.tangent)
    rows, cols = surface.height.shape
    distance = (np.arange(rows, dtype=np.float32) * np.float32(view.gsd))[:, None]
    own = distance + surface.height * t
    weight = (own > view.reach - np.float32(0.5 * view.gsd)).astype(np.float32)
    weight *= np.where(own > view.leaf_reach - np.float32(0.5 * view.gsd), np.float32(1), np.float32(0.35))
    weight *= np.exp(texture)
    copol, cross = radiometry.COPOL[surface.material], radiometry.CROSSPOL[surface.material]
    power = np.zeros((3, rows, cols), dtype=np.float32)
    raised = surface.height > 0
    flat = ~raised
    power[0][flat] = (copol * weight)[flat]
    power[2][flat] = (cross * weight)[flat]
    # Some of the wave reaches the ground through the leaves and comes back.
    crowns = view.surface.canopy.astype(bool)
    power[0][crowns] = THROUGH_LEAVES * radiometry.COPOL[Material.GRASS]
    power[2][crowns] = THROUGH_LEAVES * radiometry.CROSSPOL[Material.GRASS]
    at = np.nonzero(raised)
    facing = _facing(surface.slope[at], surface.material[at], view.tangent)
    height = surface.height[at].astype(np.float64)
    # Crowns scatter from their whole depth, not only from their top.
    leafy = surface.canopy[at].astype(bool)
    height[leafy] *= rng.uniform(0.35, 1.0, size=int(leafy.sum()))
    strength = weight[at] * facing[0]
    slope = surface.slope[at].astype(np.float64)
    # Two samples per pixel along its slope: roofs that fall away stretch to twice their length in range.
    for shift in (-0.25, 0.25):
        part = np.stack([copol[at] * facing[1], np.zeros_like(strength), cross[at]]) * (0.5 * strength)
        _deposit(
            power,
            Echoes(
                at[0].astype(np.float64) + shift,
                at[1],
                height + slope * shift * view.gsd,
                part.astype(np.float64),
            ),
            view,
        )
    return power


def _facing(slope: Float, material: Codes, tangent: float) -> tuple[Float, Float]:
    """Projected area of a sloping patch relative to a flat one, and its gain from facing the radar."""
    area = np.maximum(1 + slope * np.float32(tangent), 0)
    local = np.degrees(np.arctan(tangent) - np.arctan(slope))
    gain = 1 + radiometry.SPECULAR[material] * np.exp(-((local / 11.0) ** 2))
    return area.astype(np.float32), gain.astype(np.float32)


def _deposit(power: Float, echoes: Echoes, view: View) -> None:
    """Add echoes to the power images at their layover position, shared between the two nearest rows."""
    rows, cols = power.shape[1:]
    row = echoes.row - echoes.height / (view.tangent * view.gsd)
    first = np.floor(row).astype(np.int64)
    share = row - first
    for offset, part in ((0, 1 - share), (1, share)):
        at = first + offset
        ok: Mask = (at >= 0) & (at < rows) & (echoes.col >= 0) & (echoes.col < cols)
        flat = at[ok] * cols + echoes.col[ok]
        for image, values in zip(power, echoes.power, strict=True):
            if values.any():
                added = np.bincount(flat, weights=(values * part)[ok], minlength=rows * cols)
                np.add(image, added.reshape(rows, cols).astype(np.float32), out=image)


def _sidelobes(image: Float) -> None:
    """Smear the strongest pixels along range and azimuth, as the compression filter does; in place."""
    rows, cols = image.shape
    row, col = np.nonzero(image > STRONG)
    strength = image[row, col]
    for step, level in enumerate(SIDELOBES, start=1):
        for dr, dc in ((step, 0), (-step, 0), (0, step), (0, -step)):
            ok = (row + dr >= 0) & (row + dr < rows) & (col + dc >= 0) & (col + dc < cols)
            # Each target pixel is hit once per shift, so plain indexing adds all there is to add.
            image[row[ok] + dr, col[ok] + dc] += np.float32(level) * strength[ok]


def _points(
    boxes: Records, vehicles: Records, frame: Frame, *, from_south: bool, rng: np.random.Generator
) -> Echoes:
    """Vehicles and fittings on roofs (chimneys, rails, machines): small corner reflectors of any strength."""
    # The fittings of a roof are the same at every pass; which way a vehicle stands is not.
    wanted = 0.25 + boxes["a"] * boxes["b"] / 30.0 + uniform_at(boxes["x"], boxes["y"], 61)
    count = np.minimum(wanted.astype(np.int64), 60)
    chosen = boxes[np.repeat(np.arange(len(boxes)), count)]
    order = np.arange(len(chosen)) - np.repeat(np.cumsum(count) - count, count)
    draws = [(chosen["x"] + order, chosen["y"], salt) for salt in (62, 63, 64)]
    u = (2 * uniform_at(*draws[0]) - 1) * chosen["a"]
    v = (2 * uniform_at(*draws[1]) - 1) * chosen["b"]
    cos, sin = np.cos(chosen["angle"]), np.sin(chosen["angle"])
    x = np.concatenate([chosen["x"] + u * cos - v * sin, vehicles["x"]])
    y = np.concatenate([chosen["y"] + u * sin + v * cos, vehicles["y"]])
    height = np.concatenate([chosen["eave"] + 0.5 * chosen["rise"], np.full(len(vehicles), 0.8)])
    level = np.concatenate([9.0 + 9.5 * normal_at(*draws[2]), rng.normal(10.0, 8.0, size=len(vehicles))])
    strength = 10 ** (np.minimum(level, 48.0) / 10)
    mix = rng.uniform(0.2, 0.8, size=len(x))
    row = frame.row_of(y)
    row = frame.rows - row if from_south else row
    power = np.stack([strength * mix, strength * (1 - mix), strength * 0.08 * rng.uniform(0.3, 3, len(x))])
    return Echoes(row, np.floor(frame.columns(x)).astype(np.int64), height.astype(np.float64), power)
