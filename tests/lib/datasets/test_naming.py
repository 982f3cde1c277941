from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.contract.errors import BadDataError
from components.lib.datasets.spacenet6 import SPACENET6

STAMP = st.integers(10**13, 10**14 - 1)


@given(
    st.sampled_from(list(SPACENET6.products)),
    STAMP,
    STAMP,
    st.integers(1, 99999),
    st.sampled_from(["Train", "Test_Public"]),
)
def test_names_round_trip(product: str, start: int, stop: int, tile: int, part: str) -> None:
    strip = f"{start}_{stop}"
    parsed = SPACENET6.parse(SPACENET6.file_name(product, strip, tile, part))
    assert (parsed.product, parsed.strip, parsed.tile, parsed.part) == (product, strip, tile, part)
    assert parsed.image_id == f"{strip}_tile_{tile}"


def test_a_real_name_parses() -> None:
    parsed = SPACENET6.parse("SN6_Train_AOI_11_Rotterdam_PS-RGB_20190822070610_20190822070846_tile_3721.tif")
    assert parsed.image_id == "20190822070610_20190822070846_tile_3721"
    assert (parsed.product, parsed.strip, parsed.tile) == ("PS-RGB", "20190822070610_20190822070846", 3721)


def test_labels_lie_in_their_own_folder() -> None:
    assert SPACENET6.folder("Buildings") == "geojson_buildings"
    assert SPACENET6.file_name("Buildings", "1" * 14 + "_" + "2" * 14, 3).endswith("_tile_3.geojson")


@pytest.mark.parametrize("name", ["tile_3.tif", "../SN6_Train_AOI_11_Rotterdam_PAN_x_tile_1.tif", ""])
def test_other_names_are_refused(name: str) -> None:
    assert not SPACENET6.matches(name)
    with pytest.raises(BadDataError, match="not a SpaceNet 6 file name"):
        SPACENET6.parse(name)
