"""Heights, slopes and materials of everything standing, as a raster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from components.simulation.frame import Codes, Double, Float, Frame, Ints
from components.simulation.ground import Ground
from components.simulation.objects import Material, Objects, Records, Roof, corners


@dataclass(frozen=True, slots=True)
class Surface:
    """Heights and materials as a radar sees them from above.

    Attributes:
        height: Metres above ground, float32 (rows, cols).
        slope: Height gained per metre northwards, float32; 0 off the pitched roofs.
        material: ``Material`` codes, uint8.
        canopy: 1 if the height is that of a tree, which radar goes partly through, else 0; uint8.
        box: Index into the scene's boxes, -1 where there is none.
    """

    height: Float
    slope: Float
    material: Codes
    canopy: Codes
    box: Ints


def draw_surface(objects: Objects, ground: Ground, frame: Frame) -> Surface:
    """Rasterise boxes and trees over the ground, the higher one winning."""
    height = np.zeros((frame.rows, frame.cols), dtype=np.float32)
    slope = np.zeros_like(height)
    material = ground.material.copy()
    box = np.full(height.shape, -1, dtype=np.int64)
    boxes = objects.boxes
    bounds = box_bounds(boxes)
    for k in np.argsort(boxes["eave"] + boxes["rise"], kind="stable"):
        window = frame.window_of((bounds[k, 0], bounds[k, 1], bounds[k, 2], bounds[k, 3]))
        if window is None:
            continue
        u, v = local(boxes[k], frame, window)
        inside = (np.abs(u) <= boxes[k]["a"]) & (np.abs(v) <= boxes[k]["b"])
        top, north = roof_shape(boxes[k], u, v)
        height[window][inside] = top[inside] if isinstance(top, np.ndarray) else top
        slope[window][inside] = north[inside] if isinstance(north, np.ndarray) else north
        material[window][inside] = boxes[k]["material"]
        box[window][inside] = k
    canopy = _trees(objects.trees, ground.canopy, height, frame)
    material[canopy] = Material.TREE
    slope[canopy] = 0.0
    box[canopy] = -1
    return Surface(height, slope, material, canopy.astype(np.uint8), box)


def box_bounds(boxes: Records) -> Double:
    """West, south, east, north of every box, (n, 4)."""
    points = corners(boxes)
    return (
        np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1) if len(boxes) else np.empty((0, 4))
    )


def local(box: np.void, frame: Frame, window: tuple[slice, slice]) -> tuple[Float, Float]:
    """Pixel centres of ``window`` in the box's own frame: u along the long axis, v across, metres."""
    x, y = frame.centres(*window)
    x = x - np.float32(box["x"] - frame.x_left)
    y = y - np.float32(box["y"] - frame.y_top)
    cos, sin = np.float32(np.cos(box["angle"])), np.float32(np.sin(box["angle"]))
    return x * cos + y * sin, y * cos - x * sin


def roof_shape(box: np.void, u: Float, v: Float) -> tuple[Float | np.float32, Float | np.float32]:
    """Height and northward slope of a roof at (u, v)."""
    eave, rise = np.float32(box["eave"]), np.float32(box["rise"])
    if box["roof"] == Roof.FLAT or rise <= 0:
        return eave, np.float32(0)
    cos = np.float32(np.cos(box["angle"]))
    half = np.float32(box["b"])
    if box["roof"] == Roof.SAWTOOTH:
        pitch = np.float32(6.0)
        return eave + rise * np.mod(v, pitch) / pitch, np.full_like(v, rise / pitch * cos)
    fall = rise / half
    top = eave + rise - fall * np.abs(v)
    north = -fall * np.sign(v) * cos
    if box["roof"] == Roof.HIP:
        # The ends slope as steeply as the sides.
        end = eave + fall * (np.float32(box["a"]) - np.abs(u))
        hipped = end < top
        sin = np.float32(np.sin(box["angle"]))
        return np.where(hipped, end, top), np.where(hipped, -fall * np.sign(u) * sin, north)
    return top, north


def _trees(trees: Records, woods: Float, height: Float, frame: Frame) -> np.ndarray:
    """Raise ``height`` by woods and single crowns; return where a crown is on top."""
    crowns = np.where(woods > height, woods, 0.0).astype(np.float32)
    cols = frame.columns(trees["x"])
    rows = frame.row_of(trees["y"])
    for k in range(len(trees)):
        stamp = crown(max(round(float(trees["radius"][k]) / frame.gsd), 1)) * trees["height"][k]
        n = stamp.shape[0]
        top, left = int(rows[k]) - n // 2, int(cols[k]) - n // 2
        r0, r1, c0, c1 = max(top, 0), min(top + n, frame.rows), max(left, 0), min(left + n, frame.cols)
        if r0 < r1 and c0 < c1:
            part = crowns[r0:r1, c0:c1]
            np.maximum(part, stamp[r0 - top : r1 - top, c0 - left : c1 - left], out=part)
    canopy: np.ndarray = crowns > height
    height[canopy] = crowns[canopy]
    return canopy


@lru_cache(maxsize=64)
def crown(radius_px: int) -> Float:
    """Return a dome of height 1, zero outside its circle."""
    axis = np.arange(-radius_px, radius_px + 1, dtype=np.float32)
    square = (axis[:, None] ** 2 + axis[None, :] ** 2) / np.float32((radius_px + 0.5) ** 2)
    return np.where(square < 1, np.sqrt(np.maximum(1 - 0.8 * square, 0)), 0).astype(np.float32)
