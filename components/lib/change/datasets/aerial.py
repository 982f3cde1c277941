"""Data sets of aerial images: WHU-CD (Christchurch) and SYSU-CD (Hong Kong)."""

from __future__ import annotations

from components.lib.change.datasets.base import ImagePart, LabelPart, PairDataset

WHU_CD = PairDataset(
    name="whu-cd",
    title="WHU-CD",
    before=ImagePart(folders=("a", "prev", "t1")),
    after=ImagePart(folders=("b", "curr", "t2")),
    labels=(LabelPart(folders=("label",)),),
    meaning="buildings that were built or demolished between 2012 and 2016",
    gsd_m=0.2,
    # Published counts differ with the cut: 4354/484/2596 or 6096/762/762 of 256 pixels.
    pairs={},
    side_px=None,
    licence="no licence is stated",
    citation="Ji, Wei and Lu, Fully Convolutional Networks for Multisource Building Extraction From an Open "
    "Aerial and Satellite Imagery Data Set, IEEE TGRS 57(1):574-586, 2019",
    sources="project reference, data section 4 (layout, values, counts of two cuts)",
    unconfirmed="pixel size; there is no one official split, so the split of the files' folders or lists is "
    "kept with the store",
)
"""One area at two dates, cut into pairs by whoever publishes them: ``A,B,label`` or ``prev,curr,label``, with
split folders or ``list/*.txt``. Neighbouring cuts of one image lie in several splits."""

SYSU_CD = PairDataset(
    name="sysu-cd",
    title="SYSU-CD",
    before=ImagePart(folders=("time1", "a")),
    after=ImagePart(folders=("time2", "b")),
    labels=(LabelPart(folders=("label",)),),
    meaning="new buildings, suburban dilation, groundwork, vegetation, roads, sea construction: not only "
    "buildings",
    gsd_m=0.5,
    pairs={"train": 12_000, "val": 4_000, "test": 4_000},
    side_px=256,
    licence="no licence is stated",
    citation="Shi et al., A Deeply Supervised Attention Metric-Based Network and an Open Aerial Image "
    "Dataset for Remote Sensing Change Detection, IEEE TGRS 60:5604816, 2022",
    sources="github.com/liumency/SYSU-CD (size, pixel size, kinds of change), data card ericyu/SYSU_CD "
    "(counts)",
    unconfirmed="folder names time1 and time2 (seen in others' readers)",
)
"""Folders ``{train,val,test}/{time1,time2,label}``. File names repeat between splits."""
