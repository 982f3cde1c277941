"""Terms of change: values of a label, modalities and their bands, splits, kinds of changed buildings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

UNCHANGED, CHANGED, UNKNOWN = 0, 1, 255
"""Values of a label; pixels of ``UNKNOWN`` count in no loss and no score."""

Modality = Literal["optical", "sar"]
Split = Literal["train", "val", "test"]
Kind = Literal["added", "removed", "enlarged"]

BANDS: Mapping[Modality, tuple[str, ...]] = {"optical": ("R", "G", "B"), "sar": ("HH", "HV", "VH", "VV")}
"""Bands of a pair's images, in order."""
