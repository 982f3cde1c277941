"""Cutting score tables into slices that a single total would hide.

Every slice is a table with a ``location`` and summable counts, so that the functions of
:mod:`components.lib.metrics.intervals` take it as it is, and the counts of the slices of one dimension
add up to those of the whole.
"""

from __future__ import annotations

import pandas as pd

from components.lib.scoring.score import Scores
from components.lib.scoring.tables import OBJECT_KEYS, with_building_counts

SIZE_BANDS = {"small": (0.0, 400.0), "medium": (400.0, 1600.0), "large": (1600.0, float("inf"))}
"""Building size in pixels of 0.25 m2, lower bound included: below 100 m2, up to 400 m2, and above."""

NODATA_BANDS = {"full": (0.0, 0.01), "partial": (0.01, 0.25), "border": (0.25, 1.01)}
"""Share of a tile without data, lower bound included."""

ORIENTATIONS = {"from-north": 0, "from-south": 1}
"""Flag of the flight direction in the release."""


def slice_tables(scores: Scores) -> dict[str, dict[str, pd.DataFrame]]:
    """Return all slices by dimension and name; an empty slice is left out.

    ``orientation``, ``nodata`` and ``sensor`` select tiles. ``building_size`` selects buildings: a true
    positive and a false negative belong to the size of the truth polygon, a false positive to its own size.
    Its tables therefore hold ``tp, fp, fn`` per tile and block and no pixel counts: pixels of a part of the
    buildings have no false positives of their own.
    """
    tiles = scores.tiles
    dimensions = {
        "orientation": {name: tiles[tiles["orientation"] == flag] for name, flag in ORIENTATIONS.items()},
        "building_size": {name: _of_size(scores, *band) for name, band in SIZE_BANDS.items()},
        "nodata": {name: tiles[_within(tiles["nodata_share"], *band)] for name, band in NODATA_BANDS.items()},
        "sensor": {str(name): part for name, part in tiles.groupby("sensor", sort=True)},
    }
    return {
        dimension: {name: part for name, part in parts.items() if not part.empty}
        for dimension, parts in dimensions.items()
    }


def _of_size(scores: Scores, low: float, high: float) -> pd.DataFrame:
    """Count per tile and block the buildings with ``low <= area_px < high``; all rows, so models pair up."""
    objects = scores.objects[_within(scores.objects["area_px"], low, high)]
    if objects.empty:
        return scores.tiles.iloc[:0]
    return with_building_counts(scores.tiles[list(OBJECT_KEYS)], objects, OBJECT_KEYS)


def _within(values: pd.Series[float], low: float, high: float) -> pd.Series[bool]:
    return (values >= low) & (values < high)
