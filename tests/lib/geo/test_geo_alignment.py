from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine

from components.contract.errors import BadDataError
from components.lib.geo.grid import GRID_M, Grid, grid_of
from components.lib.geo.orientation import align, align_polygon, read_orientations
from components.lib.geo.raster import RasterProfile
from components.lib.geo.rasterise import rasterise_instances
from components.lib.geo.resample import resample
from components.lib.geo.vectorise import vectorise
from tests.lib.geo.arrays import geo_array

HEIGHT, WIDTH = 20, 30


def test_orientation_file_gives_every_strips_flag() -> None:
    content = b"20190804111224_20190804111453 1\n20190804111851_20190804112030 0\r\n\n"

    assert read_orientations(content, "SAR_orientations.txt").flags == {
        "20190804111224_20190804111453": 1,
        "20190804111851_20190804112030": 0,
    }


@pytest.mark.parametrize("line", [b"a_b", b"a_b 2", b"a_b 0 1", b"a_b 0\na_b 1", b"a_b \xff"])
def test_a_file_without_any_flag_but_with_wrong_lines_is_refused(line: bytes) -> None:
    with pytest.raises(BadDataError, match="SAR_orientations"):
        read_orientations(line, "SAR_orientations.txt")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("a_b", "line 2: 'a_b' is not '<strip> <0|1>'"),
        ("a_b 2", "line 2: 'a_b 2' is not '<strip> <0|1>'"),
        ("a_b 0\na_b 1", "line 3: strip a_b appears with both flags"),
        ("a_b 0\na_b x", "line 3: 'a_b x' is not '<strip> <0|1>'"),
        ("a_b0", "strip a_b is not in SAR_orientations.txt; SAR_orientations.txt line 2: 'a_b0' is not"),
        ("", "strip a_b is not in SAR_orientations.txt"),
    ],
)
def test_a_malformed_line_leaves_its_strip_without_a_flag_and_the_others_as_they_are(
    lines: str, why: str
) -> None:
    found = read_orientations(f"first 1\n{lines}\nlast 0\n".encode(), "SAR_orientations.txt")
    assert found.flags == {"first": 1, "last": 0}
    assert why in found.why_unknown("a_b")


def test_turning_is_flipud_and_fliplr() -> None:
    image = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 4), dtype=np.uint8)

    np.testing.assert_array_equal(align(image, 1), np.flipud(np.fliplr(image)))
    np.testing.assert_array_equal(align(align(image, 1), 1), image)
    assert align(image, 0) is image


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 16 * WIDTH), st.integers(0, 16 * HEIGHT)),
        min_size=3,
        max_size=9,
        unique=True,
    )
)
def test_half_turn_and_back_gives_the_same_polygon_bit_for_bit(points: list[tuple[int, int]]) -> None:
    hull = shapely.convex_hull(shapely.MultiPoint([(x / 16, y / 16) for x, y in points]))
    if not isinstance(hull, shapely.Polygon):
        return
    turned = align_polygon(hull, 1, HEIGHT, WIDTH)

    assert align_polygon(turned, 1, HEIGHT, WIDTH).wkb == hull.wkb
    assert turned.area == hull.area
    assert align_polygon(hull, 0, HEIGHT, WIDTH) is hull


def test_turned_mask_is_the_mask_of_the_turned_polygon() -> None:
    polygon = shapely.Polygon([(2.3, 3.1), (17.2, 4.9), (12.7, 15.3)])
    mask = rasterise_instances([polygon], HEIGHT, WIDTH)
    turned = rasterise_instances([align_polygon(polygon, 1, HEIGHT, WIDTH)], HEIGHT, WIDTH)

    np.testing.assert_array_equal(turned, align(mask, 1))


def test_truth_survives_prepare_vectorise_undo() -> None:
    # docs/methods/distillation.md: a perfect mask gives the truth back.
    truth = [shapely.box(2, 3, 14, 16), shapely.box(18, 2, 29, 13)]
    stored = align(rasterise_instances(truth, HEIGHT, WIDTH) > 0, 1).astype(np.float32)

    found = vectorise(geo_array(stored, orientation=1), threshold=0.5, min_area_px=10).geometries

    assert sorted(p.normalize().wkt for p in found) == sorted(p.normalize().wkt for p in truth)


def profile(transform: Affine) -> RasterProfile:
    return RasterProfile(
        name="tile_7.tif", count=1, height=HEIGHT, width=WIDTH, dtype="uint8",
        transform=transform, crs="EPSG:32631", nodata=None,
    )  # fmt: skip


def test_grid_keeps_own_resolution_and_refines_a_coarser_one() -> None:
    fine = grid_of(profile(Affine(GRID_M, 0, 100, 0, -GRID_M, 200)))
    coarse = grid_of(profile(Affine(2 * GRID_M, 0, 100, 0, -2 * GRID_M, 200)))

    assert fine.resized() is fine
    assert coarse.resized() == Grid(
        x_left_m=100, y_top_m=200, gsd_m=GRID_M, height=2 * HEIGHT, width=2 * WIDTH
    )
    assert coarse.resized().transform == Affine(GRID_M, 0, 100, 0, -GRID_M, 200)
    assert coarse.resized().side_m == pytest.approx(coarse.side_m)


@pytest.mark.parametrize(
    "transform", [Affine(1, 0.1, 0, 0, -1, 0), Affine(1, 0, 0, 0, 1, 0), Affine(1, 0, 0, 0, -1.01, 0)]
)
def test_grid_that_is_not_north_up_and_square_is_refused(transform: Affine) -> None:
    with pytest.raises(BadDataError, match=r"tile_7\.tif"):
        grid_of(profile(transform))


def test_resampling_to_the_same_size_changes_nothing_but_nodata() -> None:
    array = np.random.default_rng(0).normal(size=(2, 6, 7)).astype(np.float32)
    valid = np.ones((6, 7), dtype=bool)
    valid[0] = False

    same, mask = resample(array, valid, 6, 7)

    np.testing.assert_array_equal(same[:, 1:], array[:, 1:])
    assert not same[:, 0].any()
    assert mask is valid


@pytest.mark.parametrize("factor", [2, 3, 9])
def test_a_plane_is_resampled_exactly_between_pixel_centres(factor: int) -> None:
    rows, columns = np.mgrid[0:8, 0:10] + 0.5
    plane = (3 * columns - 2 * rows)[None].astype(np.float32)

    fine, mask = resample(plane, np.ones((8, 10), dtype=bool), 8 * factor, 10 * factor)

    y, x = (np.mgrid[0 : 8 * factor, 0 : 10 * factor] + 0.5) / factor
    inner = (slice(factor, -factor), slice(factor, -factor))  # the outermost half pixel is extrapolated
    np.testing.assert_allclose(fine[0][inner], (3 * x - 2 * y)[inner], rtol=1e-5, atol=1e-4)
    assert mask.all()


def test_nodata_never_bleeds_into_valid_pixels() -> None:
    array = np.full((1, 6, 6), 50.0, dtype=np.float32)
    valid = np.ones((6, 6), dtype=bool)
    array[:, :, :3], valid[:, :3] = 0.0, False
    array[0, 0, 0] = np.nan

    fine, mask = resample(array, valid, 12, 12)

    np.testing.assert_array_equal(mask, np.repeat(np.repeat(valid, 2, axis=0), 2, axis=1))
    np.testing.assert_allclose(fine[0][mask], 50.0, rtol=1e-6)
    assert not fine[0][~mask].any()
