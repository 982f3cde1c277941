"""The section `optical` of ``params.yaml``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from components.lib.config.loader import Parameters

TeacherKind = Literal["deeplabv3plus", "hfd_reading"]


class OpticalParameters(Parameters):
    """How long and on what the teachers are trained.

    Attributes:
        kinds: Networks to train: ``deeplabv3plus`` into ``models/optical``, which teaches all methods but
            ``hfd_reading``, whose teacher has its own kind and goes into ``models/optical/hfd_reading``.
        epochs: Passes over the train tiles.
        crops_per_tile: Random crops of each tile per pass.
        rot90: Random quarter turns; optical images have no preferred direction, radar has.
        batch: Crops per step instead of ``training.batch`` (reference 1.5: 16); None keeps that.
    """

    kinds: tuple[TeacherKind, ...] = Field(default=("deeplabv3plus",), min_length=1)
    epochs: int = Field(ge=1)
    crops_per_tile: int = Field(ge=1)
    rot90: bool
    batch: int | None = Field(default=None, ge=1)
