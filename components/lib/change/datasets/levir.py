"""LEVIR-CD and LEVIR-CD+: buildings in Texas, Google Earth images of 0.5 m, 5 to 14 years apart."""

from __future__ import annotations

from components.lib.change.datasets.base import ImagePart, LabelPart, PairDataset

_A, _B, _LABEL = ImagePart(folders=("a",)), ImagePart(folders=("b",)), LabelPart(folders=("label",))

LEVIR_CD = PairDataset(
    name="levir-cd",
    title="LEVIR-CD",
    before=_A,
    after=_B,
    labels=(_LABEL,),
    meaning="buildings that were built or demolished",
    # Crops are named <image>_<row>_<column>: those of one image are one scene.
    scene=r"(?:train|val|test)_\d+",
    gsd_m=0.5,
    pairs={"train": 445, "val": 64, "test": 128},
    side_px=1024,
    licence="Images by Google Earth, for academic use only, commercial use prohibited",
    citation="Chen and Shi, A Spatial-Temporal Attention-Based Method and a New Dataset for Remote Sensing "
    "Image Change Detection, Remote Sensing 12(10):1662, 2020",
    sources="project reference, data section 4 (layout and counts from files and torchgeo)",
    unconfirmed="exact wording of the licence",
)
"""Folders ``{train,val,test}/{A,B,label}``, or flat ``A,B,label`` with ``list/{train,val,test}.txt`` or with
the split at the start of each name, as its crops of 256 pixels come. Labels are 0 and 255."""

LEVIR_CD_PLUS = PairDataset(
    name="levir-cd-plus",
    title="LEVIR-CD+",
    before=_A,
    after=_B,
    labels=(_LABEL,),
    meaning="buildings that were built or demolished",
    scene=r"(?:train|test)_\d+",
    gsd_m=0.5,
    pairs={"train": 637, "test": 348},
    side_px=1024,
    licence="Images by Google Earth; no licence is stated",
    citation="Shen et al., S2Looking: A Satellite Side-Looking Dataset for Building Change Detection, Remote "
    "Sensing 13(24):5094, 2021",
    sources="data card blanchon/LEVIR_CDPlus (counts, size, pixel size), github.com/S2Looking/Dataset",
    unconfirmed="names inside the folders",
)
"""Folders ``{train,test}/{A,B,label}``; there is no official validation split."""
