"""File names of SpaceNet 3, of both editions."""

from __future__ import annotations

import pytest

from components.contract.errors import BadDataError
from components.lib.datasets.spacenet3 import SPACENET3


@pytest.mark.parametrize(
    "name",
    [
        "RGB-PanSharpen_AOI_2_Vegas_img0.tif",
        "spacenetroads_AOI_2_Vegas_img0.geojson",
        "AOI_2_Vegas_img0.geojson",
        "SN3_roads_train_AOI_2_Vegas_PS-RGB_img0.tif",
        "SN3_roads_train_AOI_2_Vegas_geojson_roads_img0.geojson",
        "SN3_roads_train_AOI_2_Vegas_geojson_roads_speed_img0.geojson",
        "SN3_roads_test_public_AOI_2_Vegas_PS-RGB_img0.tif",
    ],
)
def test_every_edition_names_the_same_tile(name: str) -> None:
    assert SPACENET3.image_id(name) == "AOI_2_Vegas_img0"


@pytest.mark.parametrize(
    "name", ["MUL_AOI_2_Vegas_img0.tif", "AOI_2_Vegas_img.tif", "AOI_2_Vegas_img0.png", "img0.tif", ""]
)
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(BadDataError, match="is not a SpaceNet 3 file name") as caught:
        SPACENET3.image_id(name)
    assert "RGB-PanSharpen_AOI_2_Vegas_img0.tif" in str(caught.value.next_step)
