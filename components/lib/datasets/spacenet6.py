"""SpaceNet 6: Rotterdam in August 2019, airborne quad-pol SAR paired with optical images.

Files are named ``SN6_Train_AOI_11_Rotterdam_<product>_<start>_<stop>_tile_<n>.<ext>`` with 14-digit UTC
times; the strip is ``<start>_<stop>`` and the image id, the key every join uses, is
``<start>_<stop>_tile_<n>``. Tile numbers alone are not unique across strips. Shermeyer et al., "SpaceNet 6:
Multi-Sensor All Weather Mapping Dataset", CVPR Workshops 2020; see docs/methods/spacenet6.md.
"""

from __future__ import annotations

from components.lib.datasets.base import (
    QUAD_POL,
    Dataset,
    Moments,
    Naming,
    OfficialSplit,
    Product,
    Sensor,
    Summaries,
)

SAR_INTENSITY = Product(name="SAR-Intensity", folder="SAR-Intensity", dtype="float32")
# Blue, red, red and green stand for HH, HV, VH and VV: the DisOptNet code's band list [3, 1, 1, 2], counted
# from 1 (docs/methods/spacenet6.md).
PS_RGB = Product(
    name="PS-RGB", folder="PS-RGB", dtype="uint8", bands=("R", "G", "B"), quad_pol_source=(2, 0, 0, 1)
)
PS_RGBNIR = Product(name="PS-RGBNIR", folder="PS-RGBNIR", dtype="uint8", bands=("R", "G", "B", "NIR"))
BUILDINGS = Product(name="Buildings", folder="geojson_buildings", extension="geojson")

INTENSITY_LIMITS = (0.0, 92.0)
"""Values of SAR-Intensity that the store maps to 1 and 255. The product is positive and logarithmic, 0 is
no-data, and its strips reach 69.8 to 92.9; two winners of the challenge scale it by 255 / 92
(docs/methods/spacenet6.md)."""

CAPELLA_AIRBORNE = Sensor(
    name="capella-airborne",
    bands=QUAD_POL,
    quad_pol_source=(0, 1, 2, 3),
    gsd_m=0.4999964762785847,
    valid_range=(0.0, 100.0),
    scale_limits=INTENSITY_LIMITS,
    crs="EPSG:32631",
    incidence_deg=35.0,
    looks=4.0,
    simulated=False,
    paired_optical=True,
)
"""Capella's airborne X-band radar; pixel size, value range and band order as in the release's files."""

SAR_MOMENTS = Moments(mean=(28.63, 36.10, 33.84, 26.21), std=(8.41, 8.27, 8.32, 8.64))
"""Moments of SAR-Intensity, HH, HV, VH, VV, from the code of the challenge's first winner."""

EIGHT_BIT_MOMENTS = Moments(mean=(127.5,) * 4, std=(31.875,) * 4)
"""Moments by which the published DisOptNet code normalises both images, as if each were an 8-bit picture."""

SPACENET6 = Dataset(
    name="spacenet6",
    sensors=(CAPELLA_AIRBORNE,),
    naming=Naming(
        title="SpaceNet 6",
        template="SN6_{part}_AOI_11_Rotterdam_{product}_{image_id}.{extension}",
        image_id="{strip}_tile_{tile}",
        strip=r"\d{14}_\d{14}",
        parts=("Train", "Test_Public"),
    ),
    sar=SAR_INTENSITY,
    optical=PS_RGB,
    labels=BUILDINGS,
    unread=(Product(name="PAN", folder="PAN"), PS_RGBNIR, Product(name="RGBNIR", folder="RGBNIR")),
    summaries=Summaries(
        product="Summary",
        folder="SummaryData",
        orientations="SAR_orientations.txt",
        buildings="SN6_Train_AOI_11_Rotterdam_Buildings.csv",
        buildings_ending="_Buildings.csv",
    ),
    root="train/AOI_11_Rotterdam/",
    # The published validation list (705 of 3,401 tiles) is exactly the easternmost of these five groups.
    split=OfficialSplit(
        published="sn6-kang", disjoint="sn6-clean", west_m=591_550.0, east_m=596_250.0, groups=5
    ),
    sar_moments=SAR_MOMENTS,
)
