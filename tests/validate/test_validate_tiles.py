"""Joining files to tiles by name."""

from __future__ import annotations

from typing import Any

import pandas as pd

from components.lib.datasets.sensors import get_sensor
from components.validate.features import tile_features
from components.validate.summary import Summaries
from components.validate.tiles import gather_tiles
from tests.validate.conftest import STRIPS, grid, name_of, sar_pixels, tif


def row(
    name: str, product: str, tile: int = 1, acquisition: str = "a", strip: str = STRIPS[0]
) -> dict[str, Any]:
    return {
        "acquisition": acquisition,
        "sensor": "simulated-airborne",
        "name": name,
        "product": product,
        "strip": strip,
        "tile": tile,
    }


def test_products_meet_by_image_id_whatever_their_order() -> None:
    products = ("Buildings", "PS-RGB", "SAR-Intensity")
    rows = [row(name_of(product, tile), product, tile) for product in products for tile in (3, 1, 2)]
    tiles = gather_tiles(pd.DataFrame(rows))
    assert [tile.tile for tile in tiles] == [1, 2, 3]
    for tile in tiles:
        assert {record["name"] for record in tile.files.values()} == {
            name_of(product, tile.tile) for product in products
        }


def test_equal_tile_numbers_of_two_strips_or_acquisitions_stay_apart() -> None:
    rows = [row(name_of("SAR-Intensity", 1, strip), "SAR-Intensity", 1, "a", strip) for strip in STRIPS]
    rows.append(row(name_of("SAR-Intensity", 1), "SAR-Intensity", 1, "b"))
    assert len(gather_tiles(pd.DataFrame(rows))) == 3


def test_a_second_file_of_a_product_is_counted_and_the_first_kept() -> None:
    first = name_of("SAR-Intensity", 1)
    second = first.replace("Train", "Test_Public")
    (tile,) = gather_tiles(pd.DataFrame([row(first, "SAR-Intensity"), row(second, "SAR-Intensity")]))
    assert tile.duplicates == 1
    assert tile.files["SAR-Intensity"]["name"] == first


def test_a_public_test_tile_needs_no_optical_pair() -> None:
    name = name_of("SAR-Intensity", 1).replace("Train", "Test_Public")
    (tile,) = gather_tiles(pd.DataFrame([row(name, "SAR-Intensity")]))
    content = tif(sar_pixels(), grid(1))
    features = tile_features(tile, get_sensor("simulated-airborne"), Summaries(), lambda _: content)
    assert features["sar_readable"]
    assert "pair_present" not in features


def test_products_that_no_stage_reads_make_no_difference() -> None:
    rows = [row(name_of(product, 1), product) for product in ("SAR-Intensity", "PAN", "RGBNIR")]
    (tile,) = gather_tiles(pd.DataFrame(rows))
    assert set(tile.files) == {"SAR-Intensity"}
