from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rasterio.transform import Affine

from components.lib.geo.geoarray import PixelTransform
from tests.lib.geo.arrays import NORTH_UP, geo_array

HEIGHT, WIDTH = 20, 30
CORNERS = np.array([[0.0, 0.0], [WIDTH, 0.0], [0.0, HEIGHT], [WIDTH, HEIGHT], [3.25, 7.5]])


@pytest.mark.parametrize("transform", [NORTH_UP, PixelTransform(0.5, 0.1, 100.0, -0.2, -0.5, 200.0)])
def test_a_transform_is_rasterios(transform: PixelTransform) -> None:
    expected = [Affine(*transform) @ (x, y) for x, y in CORNERS]
    np.testing.assert_allclose(transform.apply(CORNERS), expected, rtol=0, atol=1e-9)


def test_a_turned_raster_covers_the_same_ground() -> None:
    turned = NORTH_UP.turned(HEIGHT, WIDTH)
    opposite = np.array([WIDTH, HEIGHT]) - CORNERS
    np.testing.assert_array_equal(turned.apply(opposite), NORTH_UP.apply(CORNERS))
    assert turned.turned(HEIGHT, WIDTH) == NORTH_UP


@pytest.mark.parametrize("orientation", [0, 1])
def test_north_up_moves_no_pixel_on_the_ground(orientation: int) -> None:
    values = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    stored = geo_array(values, orientation=orientation)
    upright = stored.north_up()
    assert (upright.orientation, upright.transform) == (0, NORTH_UP)
    assert upright.north_up() is upright

    def ground(number: int, array: npt.NDArray[Any], transform: PixelTransform) -> list[float]:
        ((row, column),) = np.argwhere(array == number) + 0.5
        x, y = transform.apply(np.array([[column, row]]))[0]
        return [float(x), float(y)]

    for number in (0, 17, HEIGHT * WIDTH - 1):
        here = ground(number, stored.values[0], stored.transform)
        assert ground(number, upright.values[0], upright.transform) == here


def test_bands_are_found_by_name_and_must_fit() -> None:
    maps = np.zeros((HEIGHT, WIDTH)), np.ones((HEIGHT, WIDTH))
    image = geo_array(*maps, bands=("building", "edge"))
    assert image.shape == (HEIGHT, WIDTH)
    assert image.band("edge").all()
    with pytest.raises(KeyError, match="building, edge"):
        image.band("contact")
    with pytest.raises(ValueError, match="do not fit"):
        image.with_values(np.zeros((1, HEIGHT, WIDTH + 1)), ("building",))
