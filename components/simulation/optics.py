"""The optical image: one satellite pass under given light, by default in clear weather in late August.

Painted from low to high on ground-rectified pixels: each object throws its shadow on what is already there,
then shows the facade turned to the sensor, then its roof, moved by height * tan(off-nadir) away from it.
"""

from __future__ import annotations

import numpy as np

from components.simulation.conditions import AUGUST, Conditions
from components.simulation.frame import Codes, Float, Frame, Mask
from components.simulation.ground import Ground
from components.simulation.noise import Textures, uniform_at
from components.simulation.objects import Material, Objects, Records, Roof
from components.simulation.surface import box_bounds, crown, local

TONE = (0.96, 0.98, 1.02, 1.0)
"""Response of the bands: brings the means to those of the real optical images (docs/methods/spacenet6.md)."""
SHADE = 0.34
"""Light left in a shadow."""
AIRLIGHT = (168, 176, 190, 150)
"""Digital numbers of haze so thick that it hides the ground."""

_COLOURS = {
    # Red, green, blue, near infra-red; digital numbers in full sun.
    Material.GRASS: (86, 112, 66, 190),
    Material.ASPHALT: (104, 104, 104, 88),
    Material.PAVING: (142, 132, 124, 120),
    Material.GRAVEL: (158, 148, 134, 140),
    Material.WATER: (36, 56, 52, 16),
    Material.SOIL: (150, 128, 100, 140),
    Material.GARDEN: (98, 112, 82, 150),
    Material.RAIL: (112, 100, 92, 100),
    Material.TILES: (142, 98, 82, 110),
    Material.BITUMEN: (92, 92, 94, 84),
    Material.PEBBLE_ROOF: (158, 156, 150, 138),
    Material.METAL: (178, 182, 188, 160),
    Material.GREEN_ROOF: (104, 118, 84, 150),
    Material.BOX: (140, 90, 76, 110),
    Material.TREE: (52, 76, 44, 170),
}
_PALETTE = np.array([_COLOURS[m] for m in Material], dtype=np.float32)
_PAINT = np.array([(235, 235, 235, 200), (40, 42, 46, 40), (120, 122, 128, 110), (150, 36, 34, 120),
                   (50, 70, 130, 80), (190, 192, 196, 170)], dtype=np.float32)  # fmt: skip
"""Colours of vehicles and containers."""


class Painting:
    """Colour numbers and light of every pixel; colours are looked up once, at the end."""

    def __init__(self, ground: Ground, frame: Frame, conditions: Conditions) -> None:
        self.frame = frame
        self.conditions = conditions
        self.palette = _PALETTE.copy()
        for material, gains in conditions.gains.items():
            self.palette[material] *= np.array(gains, dtype=np.float32)
        self.colours: list[Float] = list(self.palette)
        self.code = ground.material.astype(np.int32)
        self.light = np.ones(self.code.shape, dtype=np.float32)

    def colour(self, value: Float) -> int:
        """Add a colour; return its number."""
        self.colours.append(value)
        return len(self.colours) - 1

    def fill(self, window: tuple[slice, slice], mask: Mask, code: int, light: Float | float) -> None:
        """Paint ``mask`` of ``window``."""
        self.code[window][mask] = code
        self.light[window][mask] = light[mask] if isinstance(light, np.ndarray) else light


def photograph(
    objects: Objects,
    ground: Ground,
    frame: Frame,
    textures: Textures,
    seed: int,
    *,
    conditions: Conditions = AUGUST,
) -> Codes:
    """Red, green, blue and near infra-red of ``frame``, uint8 (4, rows, cols), 1..255 (0 is no-data).

    Args:
        objects: Everything standing.
        ground: The ground of ``frame``.
        frame: The raster.
        textures: Natural texture of the ground.
        seed: Fixes what colour things are and, with ``conditions.traffic``, which parking places are taken.
        conditions: Light, season, haze, view and traffic of the pass.
    """
    painting = Painting(ground, frame, conditions)
    painting.light[ground.marking] = 1.9
    woods = ground.canopy > 0
    painting.code[woods] = Material.TREE
    painting.light[woods] = 1.0 + 0.28 * textures.over("grain", frame)[woods]
    _vehicles(painting, objects.slots, seed)
    _tree_shadows(painting, objects.trees)
    _boxes(painting, objects.boxes, seed)
    _trees(painting, objects.trees)
    return _develop(painting, frame, textures)


def _develop(painting: Painting, frame: Frame, textures: Textures) -> Codes:
    shift, haze = painting.conditions.texture_shift, painting.conditions.haze
    light = painting.light * (
        1.0
        + 0.05 * textures.over("fine", frame, 5 + shift)
        + 0.07 * textures.over("grain", frame, 11 + shift)
    )
    light *= 1.0 + 0.07 * textures.over("patch", frame, 17)
    palette = np.stack(painting.colours) * np.array(TONE, dtype=np.float32)
    image = np.empty((4, frame.rows, frame.cols), dtype=np.uint8)
    for band in range(4):
        plane = palette[:, band][painting.code] * light + np.float32(6.0)
        plane[:, 1:-1] = 0.7 * plane[:, 1:-1] + 0.15 * (plane[:, :-2] + plane[:, 2:])
        plane[1:-1] = 0.7 * plane[1:-1] + 0.15 * (plane[:-2] + plane[2:])
        if haze > 0:
            plane += np.float32(haze) * (np.float32(AIRLIGHT[band]) - plane)
        image[band] = np.clip(plane, 1, 255)
    return image


def _boxes(painting: Painting, boxes: Records, seed: int) -> None:
    bounds = box_bounds(boxes)
    hue = uniform_at(boxes["x"], boxes["y"], seed + 3)
    for k in np.argsort(boxes["eave"] + boxes["rise"], kind="stable"):
        box = boxes[k]
        top = float(box["eave"] + 0.5 * box["rise"])
        _shade(painting, box, bounds[k], top)
        _facade(painting, box, bounds[k], float(hue[k]))
        _roof(painting, box, bounds[k], top, float(hue[k]))


def _sweep(
    painting: Painting, box: np.void, bounds: Float, by: tuple[float, float]
) -> tuple[tuple[slice, slice], Mask, Float] | None:
    """Pixels a box covers while it moves by ``by`` metres; and how far along (0..1) it last covers each."""
    west, south, east, north = (float(b) for b in bounds)
    moved = (west + min(by[0], 0), south + min(by[1], 0), east + max(by[0], 0), north + max(by[1], 0))
    window = painting.frame.window_of(moved)
    if window is None:
        return None
    u, v = local(box, painting.frame, window)
    cos, sin = np.cos(box["angle"]), np.sin(box["angle"])
    du, dv = by[0] * cos + by[1] * sin, by[1] * cos - by[0] * sin
    u_in, u_out = _interval(u, np.float32(du), np.float32(box["a"]))
    v_in, v_out = _interval(v, np.float32(dv), np.float32(box["b"]))
    enter = np.maximum(np.maximum(u_in, v_in), 0)
    leave = np.minimum(np.minimum(u_out, v_out), 1)
    return window, enter <= leave, leave


def _interval(at: Float, step: np.float32, half: np.float32) -> tuple[Float, Float]:
    """Return the interval of t in which ``|at - t * step| <= half`` holds: first and last t."""
    if abs(step) < 1e-4:
        outside = np.abs(at) > half
        return np.where(outside, np.float32(2), np.float32(0)), np.where(
            outside, np.float32(-1), np.float32(1)
        )
    first, second = (at - half) / step, (at + half) / step
    return np.minimum(first, second), np.maximum(first, second)


def _shade(painting: Painting, box: np.void, bounds: Float, top: float) -> None:
    east, north = painting.conditions.shadow
    swept = _sweep(painting, box, bounds, (east * top, north * top))
    if swept is not None:
        window, mask, _ = swept
        light = painting.light[window]
        light[mask] = np.minimum(light[mask], SHADE)


def _facade(painting: Painting, box: np.void, bounds: Float, hue: float) -> None:
    eave = float(box["eave"])
    east, north = painting.conditions.lean
    swept = _sweep(painting, box, bounds, (east * eave, north * eave))
    if swept is None:
        return
    window, mask, height = swept
    code = painting.colour(np.array([120, 100, 88, 95], np.float32) * np.float32(0.7 + 0.7 * hue))
    # Floors: darker bands of windows.
    bands = np.where(np.mod(height * np.float32(eave), 3.0) < 1.3, np.float32(0.62), np.float32(1.0))
    painting.fill(window, mask, code, bands)


def _roof(painting: Painting, box: np.void, bounds: Float, top: float, hue: float) -> None:
    dx, dy = (metres * top for metres in painting.conditions.lean)
    moved = (bounds[0] + dx, bounds[1] + dy, bounds[2] + dx, bounds[3] + dy)
    window = painting.frame.window_of((float(moved[0]), float(moved[1]), float(moved[2]), float(moved[3])))
    if window is None:
        return
    shifted = box.copy()
    shifted["x"] += dx
    shifted["y"] += dy
    u, v = local(shifted, painting.frame, window)
    mask = (np.abs(u) <= box["a"]) & (np.abs(v) <= box["b"])
    colour = painting.colour(_roof_colour(painting.palette, box, hue))
    painting.fill(window, mask, colour, _roof_light(painting.conditions, box, u, v))


def _roof_colour(palette: Float, box: np.void, hue: float) -> Float:
    tone = float(box["tone"])
    if box["material"] == Material.BOX:
        paint: Float = _PAINT[int(hue * len(_PAINT)) % len(_PAINT)] * np.float32(0.9)
        return paint
    colour: Float = palette[box["material"]] * np.float32(0.55 + 0.8 * tone)
    if box["material"] == Material.TILES and hue < 0.4:
        # Dark glazed tiles: as common in the real city as red ones.
        colour = palette[Material.BITUMEN] * np.float32(0.6 + 0.5 * tone)
    return colour


def _roof_light(conditions: Conditions, box: np.void, u: Float, v: Float) -> Float:
    """Light on a roof: pitched sides by their angle to the sun, flat ones with a bright rim and fittings."""
    edge = np.minimum(box["a"] - np.abs(u), box["b"] - np.abs(v))
    if box["roof"] == Roof.FLAT or box["rise"] <= 0:
        fittings = (np.mod(u * 0.37 + 11, 7.0) < 0.9) & (np.mod(v * 0.53 + 3, 5.0) < 0.8) & (edge > 1.5)
        return np.where(edge < 0.5, np.float32(1.2), np.where(fittings, np.float32(1.45), np.float32(1.0)))
    pitch = box["rise"] / box["b"] if box["roof"] != Roof.SAWTOOTH else box["rise"] / 6.0
    # A side's normal leans outwards, across the ridge.
    azimuth, elevation = conditions.sun_azimuth, conditions.sun_elevation
    sun_v = -np.sin(box["angle"]) * np.sin(azimuth) + np.cos(box["angle"]) * np.cos(azimuth)
    side = np.sign(v) if box["roof"] != Roof.SAWTOOTH else np.where(np.mod(v, 6.0) > 5.0, 1.0, -1.0)
    dot = (np.sin(elevation) + side * pitch * sun_v * np.cos(elevation)) / np.hypot(1.0, pitch)
    light = np.clip(dot / np.sin(elevation), SHADE, 1.6).astype(np.float32)
    return np.where(np.abs(v) < 0.3, np.float32(1.25), light)


def _vehicles(painting: Painting, slots: Records, seed: int) -> None:
    """Vehicles present at the hour of the pass."""
    draw = uniform_at(slots["x"], slots["y"], seed + 1 + painting.conditions.traffic)
    present = np.flatnonzero(draw < 0.62)
    codes = [painting.colour(colour) for colour in _PAINT]
    for k in present:
        slot = slots[k]
        reach = float(np.hypot(slot["a"], slot["b"])) + 1.0
        window = painting.frame.window_of(
            (slot["x"] - reach, slot["y"] - reach, slot["x"] + reach, slot["y"] + reach)
        )
        if window is None:
            continue
        u, v = local(slot, painting.frame, window)
        body = (np.abs(u) <= slot["a"]) & (np.abs(v) <= slot["b"])
        dark = (np.abs(u + 0.4) <= slot["a"]) & (np.abs(v - 0.5) <= slot["b"] + 0.3)
        painting.light[window][dark] = 0.5
        painting.fill(window, body, codes[int(draw[k] * 1e4) % len(codes)], 1.0)


def _tree_shadows(painting: Painting, trees: Records) -> None:
    east, north = painting.conditions.shadow
    for k in range(len(trees)):
        height = float(trees["height"][k]) * 0.75
        stamp = crown(max(round(float(trees["radius"][k]) / painting.frame.gsd), 1)) > 0
        for share in (0.5, 1.0):
            _stamp(painting, trees[k], stamp, (east * height * share, north * height * share), None)


def _trees(painting: Painting, trees: Records) -> None:
    east, north = painting.conditions.lean
    for k in range(len(trees)):
        height = float(trees["height"][k]) * 0.75
        radius = max(round(float(trees["radius"][k]) / painting.frame.gsd), 1)
        light = _crown_light(radius, painting.conditions.sun_azimuth)
        _stamp(painting, trees[k], crown(radius) > 0, (east * height, north * height), light)


def _crown_light(radius: int, sun_azimuth: float) -> Float:
    """Light on a crown: brighter on the side of the sun."""
    axis = np.arange(-radius, radius + 1) / (radius + 0.5)
    towards = axis[None, :] * np.sin(sun_azimuth) - axis[:, None] * np.cos(sun_azimuth)
    light: Float = (0.95 + 0.45 * towards).astype(np.float32)
    return light


def _stamp(
    painting: Painting, tree: np.void, mask: Mask, by: tuple[float, float], light: Float | None
) -> None:
    """Put a crown (or, without ``light``, its shadow) at a tree moved by ``by`` metres."""
    frame, n = painting.frame, mask.shape[0]
    top = int((frame.y_top - tree["y"] - by[1]) / frame.gsd) - n // 2
    left = int((tree["x"] + by[0] - frame.x_left) / frame.gsd) - n // 2
    r0, r1, c0, c1 = max(top, 0), min(top + n, frame.rows), max(left, 0), min(left + n, frame.cols)
    if r0 >= r1 or c0 >= c1:
        return
    window = (slice(r0, r1), slice(c0, c1))
    part = (slice(r0 - top, r1 - top), slice(c0 - left, c1 - left))
    if light is None:
        shaded = painting.light[window]
        shaded[mask[part]] = np.minimum(shaded[mask[part]], SHADE)
    else:
        painting.fill(window, mask[part], int(Material.TREE), light[part])
