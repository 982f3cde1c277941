"""SpaceNet 8: flooded roads and buildings in Louisiana and Germany, Maxar images before and after a flood."""

from __future__ import annotations

from components.lib.change.datasets.base import ImagePart, LabelPart, PairDataset

SPACENET8 = PairDataset(
    name="spacenet8",
    title="SpaceNet 8",
    before=ImagePart(folders=("pre_image",)),
    after=ImagePart(folders=("post_image",)),
    labels=(LabelPart(folders=("mask",)),),
    meaning="1: labelled features (roads as lines one pixel wide, buildings as areas), 0: everything else; "
    "flooded infrastructure, not buildings that came or went: for checks of the branch, never for a score of "
    "building change",
    folder_per_pair=True,
    default_split="train",
    black_is_no_data=True,
    # 3.45e-6 degrees: 0.33 m from west to east and 0.38 m from north to south in Louisiana.
    gsd_m=None,
    pairs={},
    side_px=None,
    licence="CC BY-SA 4.0",
    citation="Hänsch et al., SpaceNet 8 - The Detection of Flooded Roads and Buildings, CVPR Workshops 2022",
    sources="files of the sample (512 x 512, EPSG:4326, mask 0/1); github.com/SpaceNetChallenge/SpaceNet8 "
    "(the release itself holds GeoJSON: non-flooded and flooded buildings and roads)",
    unconfirmed="whether the sample's masks hold flooded features alone (drawn over the images they follow "
    "roads and one building); who made the masks",
)
"""A folder for each pair with ``pre_image.tif``, ``post_image.tif`` and ``mask.tif``. No split is told: all
are training pairs, of which the stage may set some aside. A black pixel has no data: a post-event image was
resampled onto the grid of the pre-event image and may leave a black rim."""
