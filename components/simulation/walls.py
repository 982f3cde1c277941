"""Walls facing the radar: facades laid over towards it, and the corner they form with the ground."""

from __future__ import annotations

import numpy as np

from components.simulation.frame import Double, Float, Frame, Ints
from components.simulation.noise import normal_at, uniform_at
from components.simulation.objects import Records, corners
from components.simulation.surface import Surface

STEP_M = 0.5
"""Spacing of wall samples along the wall."""
RISE_M = 0.75
"""Spacing of wall samples in height."""
FACADE = 2.0
"""Facade gamma-nought seen squarely, linear."""
FRONT_M, FRONT_SPREAD_DB = 6.0, 5.0
"""Length over which a wall reflects alike, and the spread from one length to the next."""
DOUBLE = 90.0
"""Double-bounce power of one metre of 10 m high wall seen squarely, in flat pixels of gamma-nought 1."""


def wall_echoes(
    surface: Surface,
    reach: Float,
    boxes: Records,
    frame: Frame,
    tangent: float,
    *,
    from_south: bool,
    rng: np.random.Generator,
) -> tuple[Double, Ints, Double, Double]:
    """Echoes of all visible wall patches and wall feet.

    Args:
        surface: Turned surface, nearest row first.
        reach: Shadow reach of everything nearer (``radar.View.reach``).
        boxes: The scene's boxes.
        frame: The raster.
        tangent: tan(incidence).
        from_south: True if the sensor stands south.
        rng: Draws what differs between passes.

    Returns:
        Row, column, height and power (3, n), as :class:`components.simulation.radar.Echoes`.
    """
    wall = _sample(boxes, frame, from_south=from_south)
    row, col = wall["foot_row"].astype(np.int64), wall["foot_col"].astype(np.int64)
    ok = (row >= 0) & (row < frame.rows) & (col >= 0) & (col < frame.cols)
    wall, row, col = wall[ok], row[ok], col[ok]
    leafy = surface.canopy[row, col].astype(bool)
    ground = np.where(leafy, 0.0, surface.height[row, col])
    hidden_below = np.maximum(ground, (reach[row, col] - wall["row"] * frame.gsd) / tangent)
    shown = hidden_below < wall["top"] - 0.3
    wall, hidden_below, ground, leafy = wall[shown], hidden_below[shown], ground[shown], leafy[shown]
    dim = np.where(leafy, 0.4, 1.0)
    facade = _facade(wall, hidden_below, dim, gsd=frame.gsd, tangent=tangent, rng=rng)
    feet = _feet(wall, hidden_below - ground, dim)
    late = _late(feet, frame.gsd, rng)
    return (
        np.concatenate([facade[0], feet[0], late[0]]),
        np.concatenate([facade[1], feet[1], late[1]]),
        np.concatenate([facade[2], feet[2], late[2]]),
        np.concatenate([facade[3], feet[3], late[3]], axis=1),
    )


_SAMPLE = np.dtype(
    [
        ("row", "f8"),
        ("col", "i8"),
        ("foot_row", "f8"),
        ("foot_col", "f8"),
        ("top", "f8"),
        ("aspect", "f8"),
        ("along", "f8"),
        ("length", "f8"),
        ("grid", "f8"),
        ("strength", "f8"),
    ]
)


def _sample(boxes: Records, frame: Frame, *, from_south: bool) -> Records:
    """Points along all walls that face the sensor."""
    points = corners(boxes).reshape(-1, 4, 2)
    start, edge = points, np.roll(points, -1, axis=1) - points
    length = np.hypot(edge[..., 0], edge[..., 1])
    normal = np.stack([edge[..., 1], -edge[..., 0]], axis=-1) / np.maximum(length, 1e-6)[..., None]
    squareness = normal[..., 1] * (-1.0 if from_south else 1.0)
    # Every building has windows and balconies of its own.
    grid = 1.6 + 2.9 * uniform_at(boxes["x"], boxes["y"], 51)
    # Gable ends rise half-way to the ridge on average.
    ends = np.array([0.0, 0.5, 0.0, 0.5])
    top = boxes["eave"][:, None] + boxes["rise"][:, None] * ends
    b, side = np.nonzero(squareness > 0.04)
    count = np.maximum((length[b, side] / STEP_M).astype(np.int64), 1)
    index = np.repeat(np.arange(len(b)), count)
    order = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    b, side, n = b[index], side[index], count[index]
    share = (order + 0.5) / n
    x = start[b, side, 0] + share * edge[b, side, 0]
    y = start[b, side, 1] + share * edge[b, side, 1]
    out = 0.7 * frame.gsd
    result = np.empty(len(index), dtype=_SAMPLE)
    foot = frame.row_of(y + 1.5 * out * normal[b, side, 1])
    result["row"] = frame.rows - frame.row_of(y) if from_south else frame.row_of(y)
    result["col"] = np.floor(frame.columns(x)).astype(np.int64)
    result["foot_row"] = np.floor(frame.rows - foot if from_south else foot)
    result["foot_col"] = np.floor(frame.columns(x + 1.5 * out * normal[b, side, 0]))
    result["top"] = top[b, side]
    result["aspect"] = np.degrees(np.arccos(np.clip(squareness[b, side], -1, 1)))
    result["along"] = share * length[b, side]
    result["length"] = length[b, side] / n
    result["grid"] = grid[b]
    # Porches, hedges, parked bicycles: each house front reflects differently, the same at every pass.
    front = np.floor(result["along"] / FRONT_M)
    spread = normal_at(boxes["x"][b] + front, boxes["y"][b] + 0.1 * side, 52)
    result["strength"] = 10 ** (FRONT_SPREAD_DB * spread / 10)
    return result


def _facade(
    wall: Records,
    hidden_below: Double,
    dim: Double,
    *,
    gsd: float,
    tangent: float,
    rng: np.random.Generator,
) -> tuple[Double, Ints, Double, Double]:
    """Patches of facade: bright seen squarely, otherwise little but the grid of window corners."""
    count = np.maximum(((wall["top"] - hidden_below) / RISE_M).astype(np.int64), 1)
    index = np.repeat(np.arange(len(wall)), count)
    order = np.arange(len(index)) - np.repeat(np.cumsum(count) - count, count)
    w = wall[index]
    tall = (w["top"] - hidden_below[index]) / count[index]
    height = hidden_below[index] + (order + 0.5) * tall
    square = np.cos(np.radians(w["aspect"]))
    area = w["length"] * tall * tangent * square / gsd**2
    window = (np.mod(height, 3.0) < RISE_M) & (np.mod(w["along"], w["grid"]) < STEP_M)
    # Plain wall mirrors the wave away unless seen squarely; window corners send some back at any angle.
    squarely = np.exp(-((w["aspect"] / 13.0) ** 2))
    corner = rng.gamma(0.35, 3.0, size=len(w)) * (1.2 + 8.0 * squarely)
    gamma = FACADE * np.where(window, corner, 0.03 + 0.4 * squarely) * w["strength"]
    power = gamma * area * dim[index]
    cross = power * np.where(w["aspect"] < 20, 0.08, 0.15)
    return w["row"], w["col"], height, np.stack([power * 0.6, power * 0.4, cross])


def _feet(wall: Records, hidden: Double, dim: Double) -> tuple[Double, Ints, Double, Double]:
    """Double bounce between wall and ground: a line at the wall's foot, strong only near broadside."""
    open_foot = np.clip(1 - hidden / 2.5, 0, 1)
    aligned = np.exp(-((wall["aspect"] / 10.0) ** 2)) + 0.012
    power = (
        DOUBLE * wall["length"] * (wall["top"] / 10.0) ** 1.5 * aligned * open_foot * dim * wall["strength"]
    )
    none = np.zeros_like(power)
    # Corners off broadside turn the polarisation.
    cross = power * 0.12 * np.clip(wall["aspect"] / 30.0, 0.1, 1.0)
    return wall["row"], wall["col"], none, np.stack([none, power, cross])


def _late(
    feet: tuple[Double, Ints, Double, Double], gsd: float, rng: np.random.Generator
) -> tuple[Double, Ints, Double, Double]:
    """Waves that bounced three times and more: they took the longer way and appear behind, even in shadow."""
    row, col, height, power = feet
    some = np.flatnonzero(rng.random(len(row)) < 0.25)
    delay = rng.exponential(7.0, size=len(some)) / gsd
    weaker = 0.12 * rng.gamma(0.5, 2.0, size=len(some))
    total = power.sum(axis=0)[some] * weaker
    return row[some] + delay, col[some], height[some], np.stack([0.5 * total, 0.5 * total, 0.2 * total])
