"""BRIGHT: building damage by 14 disasters, optical images before and SAR after."""

from __future__ import annotations

from types import MappingProxyType

from components.lib.change.datasets.base import ImagePart, LabelCoding, LabelPart, PairDataset
from components.lib.change.terms import CHANGED, UNCHANGED

BACKGROUND, INTACT, DAMAGED, DESTROYED = 0, 1, 2, 3
"""Classes of the target (torchgeo)."""

BRIGHT = PairDataset(
    name="bright",
    title="BRIGHT",
    before=ImagePart(folders=("pre-event",), ending="_pre_disaster"),
    after=ImagePart(folders=("post-event",), ending="_post_disaster"),
    labels=(LabelPart(folders=("target",), ending="_building_damage"),),
    meaning="damaged and destroyed buildings are change; intact buildings and background are none",
    coding=LabelCoding(
        values=MappingProxyType(
            {BACKGROUND: UNCHANGED, INTACT: UNCHANGED, DAMAGED: CHANGED, DESTROYED: CHANGED}
        )
    ),
    after_modality="sar",
    split_lists={
        "train": ("train_setlevel.txt", "train_set.txt"),
        "val": ("holdout_setlevel.txt", "val_set.txt"),
        "test": ("val_setlevel.txt", "test_set.txt"),
    },
    # Names are <event>_<8 digits>: an event is one place, but published splits divide events.
    black_is_no_data=True,
    gsd_m=None,
    pairs={},
    side_px=1024,
    licence="labels as the optical images: CC BY-NC 4.0 (Maxar Open Data), other terms for Hawaii (NOAA) and "
    "La Palma (IGN, CC BY 4.0); SAR by Capella Space and Umbra",
    citation="Chen et al., BRIGHT: a globally distributed multimodal building damage assessment dataset with "
    "very-high-resolution for all-weather disaster response, Earth System Science Data 17:6217-6253, 2025",
    sources="torchgeo's reader (folders, names, lists, classes, one SAR band), data card torchgeo/bright "
    "(licences)",
    unconfirmed="terms of the SAR images; list names of the full release (train_set, val_set, test_set); "
    "that 0 means no data",
)
"""Folders ``pre-event``, ``post-event`` and ``target`` with names ``<id>_pre_disaster.tif``,
``<id>_post_disaster.tif`` and ``<id>_building_damage.tif``, and split lists. The one SAR band stands for HH,
HV, VH and VV. A split without labels, such as the contest's, is left out."""
