"""The ``pairs`` section of ``params.yaml``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from components.lib.change.datasets.registry import PAIR_DATASETS
from components.lib.config.loader import Parameters
from components.simulation.change.parameters import SimulatedPairsParameters

SIMULATED = "simulated"
"""Name of the data set that is drawn on this machine: the rehearsal world at two dates."""

DEFAULT_TILE_PX = 256
"""Side of tiles of public data sets: most are cut to it, or have a multiple of it."""

DATA_SETS = (SIMULATED, *PAIR_DATASETS)


class PairsParameters(Parameters):
    """Settings of the stage."""

    data_sets: list[str] = Field(default_factory=list)
    """Data sets that the graph prepares, a stage ``pairs@<name>`` each; none while the list is empty."""
    folders: dict[str, str] = Field(default_factory=dict)
    """Folder of each data set that is not simulated, by its name; a changed folder starts nothing again."""
    tile_px: int | None = Field(None, ge=16, le=4096)
    """Side of the tiles that pairs are cut into, pixels; null: that of simulated pairs, 256 for others."""
    val_share: float = Field(0.1, ge=0.0, lt=1.0)
    """Share of the training scenes that become validation where a data set has none; ours, not official."""
    value_range: tuple[float, float] | None = None
    """Values that become 1 and 255 in images that are not of 8 bits; null: such pairs are left out."""
    max_left_out: float = Field(0.05, ge=0.0, le=1.0)
    """Largest share of pairs that may be left out."""
    leaks: Literal["error", "warn", "ignore"] = "error"
    """Consequence of ground that splits share: ``error`` stops, ``warn`` names it, ``ignore`` never looks."""
    simulated: SimulatedPairsParameters = SimulatedPairsParameters.model_validate({})

    @model_validator(mode="after")
    def _known(self) -> Self:
        unknown = [name for name in (*self.data_sets, *self.folders) if name not in DATA_SETS]
        if unknown:
            raise ValueError(f"unknown data set {unknown[0]!r}; use {', '.join(DATA_SETS)}")
        homeless = [name for name in self.data_sets if name != SIMULATED and name not in self.folders]
        if homeless:
            raise ValueError(f"folders names no folder of the data set {homeless[0]!r}")
        if self.value_range is not None and self.value_range[0] >= self.value_range[1]:
            raise ValueError("value_range must ascend")
        return self

    def tile_side(self, data_set: str) -> int:
        """Return the side of a data set's tiles, pixels."""
        return self.tile_px or (self.simulated.tile_px if data_set == SIMULATED else DEFAULT_TILE_PX)
