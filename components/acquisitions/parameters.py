"""Limits on acquisitions that land, and the options of the producer."""

from __future__ import annotations

from pydantic import Field

from components.lib.config.loader import Parameters

ID = "^[a-z0-9][a-z0-9-]{0,62}$"
"""Pattern of an acquisition's id."""

MOST_FILES = 100_000
MOST_BYTES = 256 << 30
"""Largest sum of file sizes of one acquisition, bytes."""

MOST_MARKER_BYTES = 64 << 20

FILES_AT_A_TIME = 8
"""Files that are read or copied side by side in a bucket."""


class LandOptions(Parameters):
    """Options of a simulated acquisition."""

    id: str = Field(pattern=ID)
    """Id in the catalogue; it seeds the flights, the speckle and the traffic, not the city."""

    sensor: str
    seed: int = Field(ge=0)
    """Seed of the city: equal seeds give the same ground."""

    tiles: int = Field(ge=12, le=3401)
    tile_px: int = Field(ge=64, le=900)
