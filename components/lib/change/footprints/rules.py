"""Thresholds by which two footprint maps are compared."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from components.contract.errors import ParameterError


@dataclass(frozen=True, slots=True, kw_only=True)
class FootprintRules:
    """Thresholds of the comparison.

    Attributes:
        tolerance_m: Distance by which outlines of an unchanged building may differ, metres: two pixels of
            0.5 m, the misregistration of two acquisitions. Ground within it of a building of the other map
            is not changed.
        min_area_m2: Least changed ground, square metres: 80 pixels of 0.5 m, the smallest building that the
            SpaceNet 6 metric counts.
        covered_share: A building of which at least this share lies on buildings of the other map was there
            already, however these are divided.
        enlarged_share: Changed ground of a building that was there already, as a share of what stayed, from
            which on it is enlarged (or partly removed).
        observed_share: Share of changed ground that the other map must have data on.
    """

    tolerance_m: float = 1.0
    min_area_m2: float = 20.0
    covered_share: float = 0.5
    enlarged_share: float = 0.25
    observed_share: float = 0.5

    def __post_init__(self) -> None:
        shares = (self.covered_share, self.enlarged_share, self.observed_share)
        if not (
            0 <= self.tolerance_m <= 10 and 0 < self.min_area_m2 < inf and all(0 < s <= 1 for s in shares)
        ):
            raise ParameterError(
                f"tolerance {self.tolerance_m:g} m, least area {self.min_area_m2:g} m², shares "
                f"{', '.join(f'{share:g}' for share in shares)}: the tolerance must lie between 0 and 10 m, "
                "the area be above 0, shares be above 0 and not above 1",
                next_step="leave the options out: 1 m and 20 m² suit pixels of half a metre",
            )
