"""Colours that stay apart for every kind of colour vision (Okabe and Ito, 2008)."""

from __future__ import annotations

from typing import Final

Colour = tuple[int, int, int]

BUILDING: Final[Colour] = (245, 245, 240)
"""Right: buildings that are there and were found."""
FALSE_ALARM: Final[Colour] = (213, 94, 0)
"""Vermillion: drawn, but not there."""
MISSED: Final[Colour] = (86, 180, 233)
"""Sky blue: there, but not drawn."""

LINES: Final[tuple[str, ...]] = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Line colours of the curves, in order of use."""


def as_hex(colour: Colour) -> str:
    """``#rrggbb`` of a colour."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
