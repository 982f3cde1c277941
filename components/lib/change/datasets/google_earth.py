"""Data sets cut from Google Earth images: DSIFN and CDD; both label every change, not only buildings."""

from __future__ import annotations

from components.lib.change.datasets.base import ImagePart, LabelCoding, LabelPart, PairDataset

DSIFN = PairDataset(
    name="dsifn-cd",
    title="DSIFN-CD",
    before=ImagePart(folders=("t1", "a")),
    after=ImagePart(folders=("t2", "b")),
    labels=(LabelPart(folders=("mask", "label")),),
    meaning="changes of roads, buildings, croplands and water bodies in six Chinese cities",
    gsd_m=None,
    # Training crops of one image overlap, names tell the image in no documented way: see the leak check.
    pairs={"train": 3_600, "val": 340, "test": 48},
    side_px=512,
    licence="no licence is stated",
    citation="Zhang et al., A deeply supervised image fusion network for change detection in high resolution "
    "bi-temporal remote sensing images, ISPRS Journal of Photogrammetry and Remote Sensing 166:183-200, 2020",
    sources="project reference, data section 4 (512 originals, 256 crops, label 0/255)",
    unconfirmed="counts of the splits, folder names and kinds of change (from memory)",
)
"""Folders ``{train,val,test}/{t1,t2,mask}``, images as JPEG; crops of others as ``A,B,label``."""

CDD = PairDataset(
    name="cdd",
    title="CDD (season-varying change detection)",
    before=ImagePart(folders=("a",)),
    after=ImagePart(folders=("b",)),
    labels=(LabelPart(folders=("out", "label")),),
    meaning="appearing and disappearing objects, from cars to buildings; seasons are no change",
    coding=LabelCoding(lossy=True),
    gsd_m=None,
    pairs={"train": 10_000, "val": 3_000, "test": 3_000},
    side_px=256,
    licence="no licence is stated",
    citation="Lebedev et al., Change Detection in Remote Sensing Images Using Conditional Adversarial "
    "Networks, ISPRS Archives XLII-2:565-571, 2018",
    sources="project reference, section 4.5 (16,000 pairs of 256); open-cd reads its labels as JPEG",
    unconfirmed="counts of the splits, and folder name OUT (from memory); 0.03 to 1 m per pixel",
)
"""Folders ``{train,val,test}/{A,B,OUT}``, all of them JPEG: the labels' values are near 0 and 255."""
