"""The section `optical` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from components.lib.config import Parameters


class OpticalParameters(Parameters):
    """How long and on what the teacher is trained.

    Attributes:
        epochs: Passes over the train tiles.
        crops_per_tile: Random crops of each tile per pass.
        rot90: Random quarter turns; optical images have no preferred direction, radar has.
        batch: Crops per step instead of ``training.batch`` (reference 1.5: 16); None keeps that.
    """

    epochs: int = Field(ge=1)
    crops_per_tile: int = Field(ge=1)
    rot90: bool
    batch: int | None = Field(default=None, ge=1)
