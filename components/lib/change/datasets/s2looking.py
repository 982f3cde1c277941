"""S2Looking: buildings in rural areas worldwide, seen at slant angles by satellites, 1 to 3 years apart."""

from __future__ import annotations

from components.lib.change.datasets.base import ImagePart, LabelPart, PairDataset

S2LOOKING = PairDataset(
    name="s2looking",
    title="S2Looking",
    before=ImagePart(folders=("image1",)),
    after=ImagePart(folders=("image2",)),
    labels=(
        LabelPart(folders=("label1",), kind="added"),
        LabelPart(folders=("label2",), kind="removed"),
    ),
    meaning="buildings that were built (label1) or demolished (label2); their union is change",
    gsd_m=None,
    pairs={"train": 3_500, "val": 500, "test": 1_000},
    side_px=1024,
    licence="no licence is stated in its repository",
    citation="Shen et al., S2Looking: A Satellite Side-Looking Dataset for Building Change Detection, Remote "
    "Sensing 13(24):5094, 2021",
    sources="abstract of the paper (5,000 pairs of 1024, 0.5 to 0.8 m, two label maps), open-cd (Image1, "
    "Image2)",
    unconfirmed="counts of the splits (from memory); which of label1 and label2 is which (label1 built: from "
    "memory)",
)
"""Folders ``{train,val,test}/{Image1,Image2,label,label1,label2}``. Labels are coloured: black and one
colour. ``label``, which repeats their union, is not read."""
