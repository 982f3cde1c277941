"""Parameters of simulated pairs of dates (docs/decisions/0019-second-date.md)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from components.lib.change.terms import Split
from components.lib.config.loader import Parameters
from components.simulation.parameters import WorldParameters

SHARES: Mapping[Split, float] = {"val": 1 / 6, "test": 1 / 3}
"""Shares of the pairs; the others train."""


class SimulatedPairsParameters(Parameters):
    """Size and seed of the pairs, and what happens to the city between the dates.

    Shares of buildings refer to those of at least 20 square metres; smaller ones do not change. The shares
    were fixed before any method was compared on them.

    Attributes:
        seed: Draws the city (that of ``world.seed``), its changes and all images.
        pairs: Pairs of tiles, each on ground of its own.
        tile_px: Tile side in pixels of 0.5 m.
        added: New buildings as a share of the buildings of the first date.
        removed: Share of the buildings that are removed.
        enlarged: Share of the buildings whose footprint grows.
        re_roofed: Share of the buildings with a roof of another material or brightness: no change.
        raised: Share of the buildings that gain one or two storeys on the same footprint: no change.
        misregistration_px: Largest displacement of an image of the second date, pixels.
        opposite_look: Share of pairs whose second radar image is taken from the other side.
        swath_edge: Share of pairs where the swath of the second radar image ends inside the tile.
        cloud_share: Share of the second optical image's pixels under opaque cloud.
    """

    seed: int = Field(WorldParameters().seed, ge=0)
    pairs: int = Field(48, ge=3, le=600)
    tile_px: int = Field(384, ge=64, le=700)
    added: float = Field(0.20, ge=0.0, le=0.5)
    removed: float = Field(0.15, ge=0.0, le=0.5)
    enlarged: float = Field(0.15, ge=0.0, le=0.5)
    re_roofed: float = Field(0.10, ge=0.0, le=0.5)
    raised: float = Field(0.05, ge=0.0, le=0.5)
    misregistration_px: float = Field(2.0, ge=0.0, le=8.0)
    opposite_look: float = Field(0.5, ge=0.0, le=1.0)
    swath_edge: float = Field(0.25, ge=0.0, le=1.0)
    cloud_share: float = Field(0.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _one_fate_each(self) -> SimulatedPairsParameters:
        """Refuse shares of buildings that add up to more than all of them."""
        if self.removed + self.enlarged + self.re_roofed + self.raised > 1.0:
            raise ValueError("removed, enlarged, re_roofed and raised add up to more than 1")
        return self
