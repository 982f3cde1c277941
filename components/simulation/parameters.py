"""Section ``world`` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from components.lib.config.loader import Parameters


class WorldParameters(Parameters):
    """Size and seed of the simulated world; its physics is fixed code: nothing in it is tuned to a method.

    Attributes:
        seed: Draws the city, the flights and the speckle.
        tiles: Tiles per airborne acquisition; a spaceborne one makes about half as many (at least 12).
        tile_px: Tile side in pixels of 0.5 m. The real release has 900.
        roads: True if each tile comes with the centre lines of its streets, too.
    """

    seed: int = Field(20190804, ge=0)
    tiles: int = Field(240, ge=12, le=3401)
    tile_px: int = Field(450, ge=64, le=900)
    roads: bool = False
