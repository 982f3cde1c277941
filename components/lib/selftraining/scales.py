"""Scales of pseudo-labelling, from what a pixel measures on either sensor."""

from __future__ import annotations

from collections.abc import Sequence

from components.contract.errors import ParameterError

FACTORS = (0.75, 1.0, 1.25, 1.5)
"""Scales where both sensors have equal pixels (docs/methods/adaptation.md#from-one-radar-to-another)."""

RELEASED_FACTORS = (0.6, 0.75, 0.9, 1.05)
"""Quotients of LoveCS's released scales 2.0, 2.5, 3.0, 3.5 and its ratio of 1.0 m to 0.3 m."""

LEAST, MOST = 0.25, 4.0
"""Scales beyond show the network something it never saw, at a cost that grows with their square."""


def scales_of(
    source_gsd_m: float, target_gsd_m: float, factors: Sequence[float] = FACTORS
) -> tuple[float, ...]:
    """Scales at which the target's objects have about the size that the network knows from the source.

    Both pixel sizes are those of the *stored* grid, which is what networks see. Where ``prepare`` puts all
    sensors on one grid their ratio is 1, however coarse a sensor was.

    Args:
        source_gsd_m: Pixel size of the images that the network learnt from, metres.
        target_gsd_m: Pixel size of the images to label.
        factors: Scales around the ratio of the two.

    Raises:
        ParameterError: If a scale is not between ``LEAST`` and ``MOST``, or there is none.

    >>> scales_of(0.3, 1.0, RELEASED_FACTORS)
    (2.0, 2.5, 3.0, 3.5)
    """
    ratio = target_gsd_m / source_gsd_m
    scales = tuple(round(ratio * factor, 4) for factor in factors)
    if not scales or any(not LEAST <= scale <= MOST for scale in scales):
        raise ParameterError(
            f"pixels of {target_gsd_m:g} m on a network of {source_gsd_m:g} m need scales {scales}, "
            f"which must lie between {LEAST:g} and {MOST:g}",
            next_step="store both sensors on one grid, or name the scales in params.yaml (adapt.scales)",
        )
    return scales
