"""Geometry on scenes made by hand: one building, one tree, nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from components.simulation.frame import GSD_M, Frame
from components.simulation.ground import Ground
from components.simulation.noise import Textures
from components.simulation.objects import BOXES, SLOTS, TREES, Material, Objects, Records, Roof
from components.simulation.radar import backscatter, look, surface_power
from components.simulation.radiometry import COPOL, RADIOMETRY
from components.simulation.surface import Surface, draw_surface

SIZE = 240
FRAME = Frame(0.0, SIZE * GSD_M, GSD_M, SIZE, SIZE)
MIDDLE = SIZE * GSD_M / 2
NONE = np.empty(0, dtype=SLOTS)
ANGLE = 35.0


@pytest.fixture(scope="module")
def textures() -> Textures:
    flat = Textures(1)
    flat._fields = {name: np.zeros_like(field) for name, field in flat._fields.items()}
    return flat


def house(angle: float = 0.0, *, height: float = 14.0, rise: float = 0.0, half: float = 10.0) -> Records:
    roof = Roof.GABLE if rise else Roof.FLAT
    box = (MIDDLE, MIDDLE, angle, half, half, height, rise, roof, Material.BITUMEN, 0.5, 0)
    return np.array([box], dtype=BOXES)


def scene(boxes: Records, trees: Records | None = None) -> Surface:
    empty = np.zeros((SIZE, SIZE), dtype=np.float32)
    ground = Ground(np.full((SIZE, SIZE), Material.GRASS, dtype=np.uint8), empty, empty.astype(bool))
    standing = np.empty(0, dtype=TREES) if trees is None else trees
    objects = Objects(boxes, standing, NONE, np.empty(0, dtype=object), np.empty((0, 3)))
    return draw_surface(objects, ground, FRAME)


def bare(boxes: Records, *, from_south: bool) -> np.ndarray:
    """Power of ground and roofs alone, (3, rows, cols), nearest row first."""
    view = look(scene(boxes), GSD_M, float(np.tan(np.radians(ANGLE))), from_south=from_south)
    return surface_power(view, np.zeros((SIZE, SIZE), dtype=np.float32), np.random.default_rng(3))


def image(boxes: Records, textures: Textures, *, from_south: bool) -> np.ndarray:
    return backscatter(
        scene(boxes), boxes, NONE, FRAME, textures=textures, incidence_deg=ANGLE, from_south=from_south,
        rng=np.random.default_rng(3),
    )  # fmt: skip


@pytest.mark.parametrize("from_south", [False, True])
def test_layover_leans_towards_the_sensor_and_shadow_away(textures: Textures, from_south: bool) -> None:
    hh = image(house(), textures, from_south=from_south)[0]
    if from_south:
        hh = hh[::-1]
    # Now the sensor is above. The building fills rows 100..140 and columns 100..140.
    ground = np.median(hh[:40])
    column = np.median(hh[:, 105:135], axis=1)
    layover = 14.0 / np.tan(np.radians(ANGLE)) / GSD_M
    shadow = 14.0 * np.tan(np.radians(ANGLE)) / GSD_M
    first_bright = 100 - layover
    assert column[int(first_bright) + 3 : 99].min() > 1.5 * ground, "facade laid over towards the sensor"
    assert np.allclose(column[: int(first_bright) - 2], ground, rtol=0.05), "nothing before the layover"
    assert column[142 : int(140 + shadow) - 2].max() < 0.5 * ground, "shadow behind"
    assert np.median(column[int(140 + shadow) + 3 :]) == pytest.approx(ground, rel=0.05), "ground again"
    assert np.median(hh[:, :80]) == pytest.approx(ground, rel=0.01), "nothing leans sideways"


def test_roof_is_imaged_nearer_by_height_over_tangent() -> None:
    low = bare(house(height=0.01), from_south=False)[0]
    high = bare(house(height=14.0), from_south=False)[0]
    roof = np.flatnonzero(np.diff(np.median(low[:, 105:135], axis=1)) < -1e-3)[0]
    column = np.median(high[:, 105:135], axis=1)
    # Roof and ground add up where the roof is laid over the ground.
    start = np.flatnonzero(column > 1.2 * np.median(column[:40]))[0]
    assert roof - start == pytest.approx(14.0 / np.tan(np.radians(ANGLE)) / GSD_M, abs=2)


def test_view_from_south_is_the_view_from_north_of_the_turned_scene() -> None:
    boxes = house(0.4, rise=3.0)
    turned = boxes.copy()
    turned["angle"] += np.pi
    north = bare(boxes, from_south=False)
    south = bare(turned, from_south=True)
    # Both are nearest row first already; the half turn is completed left-right.
    np.testing.assert_allclose(south[:, :, ::-1], north, rtol=2e-3, atol=2e-3)


def test_double_bounce_is_strong_only_when_the_wall_faces_the_radar(textures: Textures) -> None:
    square = image(house(0.0), textures, from_south=False)[0]
    oblique = image(house(np.radians(40)), textures, from_south=False)[0]
    foot = square[98:101, 105:135].mean()
    assert foot > 20 * np.median(square[:40])
    assert np.percentile(oblique, 99.5) < 0.3 * foot


def test_double_bounce_lies_at_the_foot_of_the_near_wall(textures: Textures) -> None:
    hh, _, _, vv = image(house(height=10.0), textures, from_south=False)
    assert np.argmax(np.median(hh[:, 105:135], axis=1)) in (98, 99, 100, 101)
    assert hh[98:101, 105:135].mean() > vv[98:101, 105:135].mean()


def test_roof_side_that_faces_the_radar_is_brighter() -> None:
    boxes = house(height=0.5, rise=7.0)
    north = bare(boxes, from_south=False)[0]
    near, far = north[95:118, 105:135].mean(), north[122:138, 105:135].mean()
    assert near > 3 * far


def test_trees_raise_cross_polarisation_and_only_dim_what_is_behind(textures: Textures) -> None:
    tree = np.array([(MIDDLE, MIDDLE, 6.0, 12.0)], dtype=TREES)
    surface = scene(house()[:0], tree)
    hh, hv, _, _ = backscatter(
        surface, house()[:0], NONE, FRAME, textures=textures, incidence_deg=ANGLE, from_south=False,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    crown = (slice(92, 110), slice(115, 125))
    assert hv[crown].sum() / hh[crown].sum() > 1.1 * np.median(hv / hh)
    behind = hh[134:142, 117:123].mean()
    assert 0.15 * np.median(hh) < behind < 0.9 * np.median(hh)


def test_vehicles_are_points_where_they_stand(textures: Textures) -> None:
    car = np.array([(MIDDLE, MIDDLE, 0.0, 2.2, 0.9, 1.5)], dtype=SLOTS)
    hh = backscatter(
        scene(house()[:0]), house()[:0], car, FRAME, textures=textures, incidence_deg=ANGLE, from_south=False,
        rng=np.random.default_rng(0),
    )[0]  # fmt: skip
    row, col = np.unravel_index(np.argmax(hh), hh.shape)
    assert abs(int(col) - SIZE // 2) <= 1
    # 0.8 m up, so 2.3 pixels towards the sensor.
    assert abs(int(row) - (SIZE // 2 - 2)) <= 1


def test_water_is_below_the_noise_of_both_sensors() -> None:
    for radar in RADIOMETRY.values():
        assert 10 * np.log10(COPOL[Material.WATER]) < min(radar.noise_db)
