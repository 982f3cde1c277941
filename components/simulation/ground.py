"""The ground as a raster: what each pixel is made of before anything stands on it, and closed canopy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.simulation.city import RIVER_HALF_M, City, District, Index
from components.simulation.frame import Codes, Float, Frame, Ints, Mask
from components.simulation.noise import Textures
from components.simulation.objects import Material


@dataclass(frozen=True, slots=True)
class Ground:
    """A ground raster.

    Attributes:
        material: ``Material`` codes, uint8 (rows, cols).
        canopy: Height of closed canopy, metres, 0 where there is none, float32.
        marking: Brightness of road markings and paths, 0..1, float32.
    """

    material: Codes
    canopy: Float
    marking: Mask


def draw_ground(city: City, textures: Textures, frame: Frame) -> Ground:
    """Rasterise streets, borders, canals, river, blocks and woods of ``frame``."""
    sites = city.sites_near(frame.bounds)
    x, y = frame.centres(slice(0, frame.rows), slice(0, frame.cols))
    owner, second, edge = _nearest(city, sites, frame, x, y)
    patch = textures.over("patch", frame)
    region = textures.over("region", frame)
    material = _blocks(city, sites, owner, patch)
    marking = _streets([city.district(s) for s in sites], frame, owner, (x, y), material)
    _borders(city, sites, (owner, second), edge, (material, marking))
    bank = np.abs(x - (city.river(y[:, 0].astype(np.float64) + frame.y_top) - frame.x_left)[:, None])
    near = bank < RIVER_HALF_M + 6
    material[near] = Material.PAVING
    material[bank < RIVER_HALF_M] = Material.WATER
    marking &= ~near
    forest = np.array([city.district(index).kind.forest for index in sites], dtype=np.float32)
    # `region` is unit normal: the threshold leaves about the wanted share under canopy.
    wooded = (forest[owner] > 0) & (region > 0.1) & (material == Material.GRASS)
    canopy = np.where(wooded, 10.0 + 2.5 * patch + 2.0 * region, 0.0).astype(np.float32)
    return Ground(material, np.maximum(canopy, 0.0), marking)


def _nearest(city: City, sites: list[Index], frame: Frame, x: Float, y: Float) -> tuple[Ints, Ints, Float]:
    """Nearest and second nearest site of every pixel, and the distance to their bisector, metres."""
    place = np.array([(s.x - frame.x_left, s.y - frame.y_top) for s in map(city.district, sites)])
    # Only sites that can be nearest or second nearest somewhere in the frame: no farther from its nearest
    # point than the second site is from its farthest.
    size = np.array([frame.cols * frame.gsd, -frame.rows * frame.gsd])
    low, high = np.minimum(size, 0), np.maximum(size, 0)
    nearest = np.hypot(*(place - np.clip(place, low, high)).T)
    farthest = np.hypot(*np.maximum(np.abs(place - low), np.abs(place - high)).T)
    useful = np.flatnonzero(nearest <= np.sort(farthest)[1])
    best = np.full((frame.rows, frame.cols), np.inf, dtype=np.float32)
    runner = best.copy()
    owner = np.zeros(best.shape, dtype=np.int64)
    second = owner.copy()
    for k in useful:
        square = (x - np.float32(place[k, 0])) ** 2 + (y - np.float32(place[k, 1])) ** 2
        closer = square < best
        next_best = ~closer & (square < runner)
        second[closer] = owner[closer]
        runner[closer] = best[closer]
        owner[closer] = k
        best[closer] = square[closer]
        second[next_best] = k
        runner[next_best] = square[next_best]
    between = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1)).astype(np.float32)
    edge = (runner - best) / np.maximum(2 * between[owner, second], 1.0)
    return owner, second, edge


def _blocks(city: City, sites: list[Index], owner: Ints, patch: Float) -> Codes:
    base = np.array([city.district(index).kind.ground for index in sites], dtype=np.uint8)[owner]
    # Blocks are not uniform: bare earth in yards, paving in gardens, grass between pavings.
    base[(base == Material.GARDEN) & (patch > 0.9)] = Material.PAVING
    base[(base == Material.GRAVEL) & (patch > 0.8)] = Material.ASPHALT
    base[(base == Material.GRAVEL) & (patch < -1.2)] = Material.GRASS
    base[(base == Material.PAVING) & (patch < -1.0)] = Material.GRASS
    return base


def _streets(
    districts: list[District], frame: Frame, owner: Ints, xy: tuple[Float, Float], material: Codes
) -> Mask:
    """Draw each district's street grid into ``material``; return the road markings."""
    marking = np.zeros(material.shape, dtype=bool)
    for k in np.unique(owner):
        site = districts[k]
        if site.kind.street <= 0:
            continue
        mine = np.nonzero(owner == k)
        dx = xy[0][0, mine[1]] - np.float32(site.x - frame.x_left)
        dy = xy[1][mine[0], 0] - np.float32(site.y - frame.y_top)
        cos, sin = np.float32(np.cos(site.angle)), np.float32(np.sin(site.angle))
        u, v = dx * cos + dy * sin, dy * cos - dx * sin
        off = np.minimum(_to_line(u, site.pitch_u), _to_line(v, site.pitch_v))
        half = np.float32(site.kind.street / 2)
        codes = material[mine]
        codes[off < half + 2.0] = Material.PAVING
        codes[off < half] = Material.PAVING if site.kind.street < 5 else Material.ASPHALT
        material[mine] = codes
        marking[mine] = (off < 0.25) & (np.mod(u + v, np.float32(6.0)) < 3) & (site.kind.street > 9)
    return marking


def _to_line(value: Float, pitch: float) -> Float:
    """Distance to the nearest multiple of ``pitch``."""
    step = np.float32(pitch)
    return np.abs(value - step * np.round(value / step))


def _borders(
    city: City, sites: list[Index], pair: tuple[Ints, Ints], edge: Float, layers: tuple[Codes, Mask]
) -> None:
    """Draw the roads and canals between districts into material and marking."""
    material, marking = layers
    near = np.nonzero(edge < 14.5)
    first, second = pair[0][near], pair[1][near]
    code, inverse = np.unique(first * len(sites) + second, return_inverse=True)
    borders = [city.border(sites[c // len(sites)], sites[c % len(sites)]) for c in code]
    half = np.array([b.half for b in borders], dtype=np.float32)[inverse]
    water = np.array([b.water for b in borders], dtype=bool)[inverse]
    distance = edge[near]
    codes, marks = material[near], marking[near]
    codes[distance < half + 2.5] = Material.PAVING
    codes[(distance < half + 2.5) & water] = Material.GRASS
    codes[distance < half] = Material.ASPHALT
    codes[(distance < half) & water] = Material.WATER
    marks[distance < half + 2.5] = False
    marks[(distance < 0.3) & ~water] = True
    material[near], marking[near] = codes, marks
