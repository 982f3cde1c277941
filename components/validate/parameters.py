"""The ``validate`` section of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field, field_validator

from components.lib.config.loader import Parameters


class ValidateParameters(Parameters):
    """Limits beyond which a tile, or the set, is bad.

    Attributes:
        max_quarantine_share: Largest share of quarantined tiles, of all tiles and of each acquisition's.
        max_nodata_share: Largest share of no-data pixels in a SAR or optical tile.
        min_strip_coverage: Smallest share of strips that keep at least half of their tiles.
        mean_range: Range that must hold each band's mean over the set, as shares of the sensor's valid range.
        max_strip_drift: Largest distance of a strip's mean from the median strip's, SAR units.
    """

    max_quarantine_share: float = Field(ge=0, le=1)
    max_nodata_share: float = Field(ge=0, le=1)
    min_strip_coverage: float = Field(ge=0, le=1)
    mean_range: tuple[float, float]
    max_strip_drift: float = Field(gt=0)

    @field_validator("mean_range")
    @classmethod
    def _in_order(cls, mean_range: tuple[float, float]) -> tuple[float, float]:
        if not mean_range[0] < mean_range[1]:
            raise ValueError("the least share comes first, then the largest")
        return mean_range
