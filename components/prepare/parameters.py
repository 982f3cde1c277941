"""The ``prepare`` section of ``params.yaml``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from components.lib.config.loader import Parameters
from components.lib.tasks.names import TaskName


class SplitParameters(Parameters):
    """The location-disjoint split: groups by the tile's west edge (docs/methods/spacenet6.md).

    The easternmost group is the test ground, one group further west the selection slice.
    """

    west_m: float
    """West end of the first group, metres east in the sensors' CRS."""
    east_m: float
    """East end of the last group; tiles beyond either end belong to the nearest group."""
    groups: int = Field(ge=3)
    """Number of groups."""
    selection_group: int = Field(ge=0)
    """Group, counted from 0 in the west, that is the selection slice; not the last, which is the test."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.west_m >= self.east_m:
            raise ValueError("west_m must lie west of east_m")
        if self.selection_group >= self.groups - 1:
            raise ValueError("selection_group must be below groups - 1, which is the test group")
        return self


class RoadParameters(Parameters):
    """Drawing of road labels."""

    half_width_m: float = Field(default=2.0, gt=0.0, le=30.0)
    """Distance from a centre line to the road's edge where its width is not stated or not used, metres; 2 in
    CosmiQ's masks of SpaceNet 3."""
    own_widths: bool = True
    """True if the width, or the number of lanes, that a line states is used."""


class PrepareParameters(Parameters):
    """Settings of the stage."""

    task: TaskName = "buildings"
    """Target whose labels the store has; all models of a run follow it."""
    min_area_m2: float = Field(ge=0.0)
    """Footprints of at most this area, square metres, are not labelled."""
    edge_px: int = Field(ge=0)
    """Width of the edge mask inside each footprint, pixels."""
    contact_px: int = Field(ge=3)
    """Side of the window in which two footprints count as touching, pixels, odd."""
    sar_dtype: Literal["uint8", "float16"] = "uint8"
    """Number format of stored SAR: ``float16`` keeps the 1 to 255 scale without rounding to whole numbers, at
    twice the size."""
    roads: RoadParameters = RoadParameters()
    split: SplitParameters

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.contact_px % 2 == 0:
            raise ValueError("contact_px must be odd")
        return self
