"""The ``validate`` section of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from components.lib.config.loader import Parameters


class ValidateParameters(Parameters):
    """What counts as a bad tile and as a bad set.

    Attributes:
        max_quarantine_share: Largest share of quarantined tiles, of all tiles and of each acquisition's.
        max_nodata_share: Largest share of no-data pixels in a SAR or optical tile.
        min_strip_coverage: Smallest share of strips that keep at least half of their tiles.
        mean_range: Where each band's mean over the set must lie, as shares of the sensor's valid range.
        max_strip_drift: Largest distance of a strip's mean from the median strip's, SAR units.
    """

    max_quarantine_share: float = Field(ge=0, le=1)
    max_nodata_share: float = Field(ge=0, le=1)
    min_strip_coverage: float = Field(ge=0, le=1)
    mean_range: tuple[float, float]
    max_strip_drift: float = Field(gt=0)
