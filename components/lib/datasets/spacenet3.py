"""SpaceNet 3: roads of Las Vegas, Paris, Shanghai and Khartoum in pan-sharpened WorldView-3 images.

Files are named ``RGB-PanSharpen_AOI_2_Vegas_img0.tif`` and ``spacenetroads_AOI_2_Vegas_img0.geojson`` in the
first edition, ``SN3_roads_train_AOI_2_Vegas_PS-RGB_img0.tif`` and ``..._geojson_roads_img0.geojson`` in the
later one. A tile has 1,300 x 1,300 pixels of 2.7e-6 degrees in longitude and latitude: at Las Vegas 0.243 m
along columns and 0.300 m along rows. Properties are partly text, partly numbers, and "None" where unknown;
some come twice, cut to ten letters. Van Etten, Lindenbaum and Bacastow, "SpaceNet: A Remote Sensing Dataset
and Challenge Series", arXiv 1807.01232.
"""

from __future__ import annotations

from components.lib.datasets.base import Product, RoadImages, RoadLabels

RGB_PANSHARPEN = Product(name="RGB-PanSharpen", folder="PS-RGB", dtype="uint16", bands=("R", "G", "B"))
"""Images; tools of the time wrote 8-bit editions of them too, with an alpha band."""

GEOJSON_ROADS = Product(name="geojson_roads", folder="geojson_roads", extension="geojson")
"""Centre lines. ``road_type``: 1 motorway, 2 primary, 3 secondary, 4 tertiary, 5 residential, 6 unclassified,
7 cart track."""

_TILE = r"(?P<area>AOI_\d+_[A-Za-z]+)_(?P<tile>img\d+)"
_PRODUCT = r"(?:PS-RGB|geojson_roads(?:_speed)?)"
_NEW = rf"SN3_roads_[a-z_]+_(?P<area>AOI_\d+_[A-Za-z]+)_{_PRODUCT}_(?P<tile>img\d+)"

SPACENET3 = RoadImages(
    name="spacenet3",
    title="SpaceNet 3",
    image=RGB_PANSHARPEN,
    # Every road was drawn from the images, so that none is uncertain.
    roads=RoadLabels(product=GEOJSON_ROADS, lanes_key="lane_number", class_key="road_type"),
    gsd_m=0.3,
    files=(rf"(?:RGB-PanSharpen_|spacenetroads_)?{_TILE}\.(?:tif|geojson)", rf"{_NEW}\.(?:tif|geojson)"),
)
