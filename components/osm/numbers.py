"""Numbers about masks, for the stage's metrics and details."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def metrics(quality: pd.DataFrame) -> dict[str, Any]:
    """Return the few numbers that DVC shows: counts of tiles, mean shares, and the length of all roads."""
    return {
        "tiles": len(quality),
        "tiles_without_objects": int((quality["objects"] == 0).sum()),
        "object_share": round(float(quality["object_share"].mean()), 6),
        "ignore_share": round(float(quality["ignore_share"].mean()), 6),
        "covered_share": round(float(quality["covered_share"].mean()), 6),
        "length_km": round(float(quality["length_m"].sum()) / 1000, 3),
        "tiles_with_shift": int((quality["shift_unknown"] == "").sum()),
    }


def details(quality: pd.DataFrame, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the source with its counts, and quantiles of shift and age over the tiles."""
    measured = quality[quality["shift_unknown"] == ""]
    return {
        **record,
        "shift_m": {name: _quantiles(measured[f"shift_{name}_m"]) for name in ("east", "north")},
        "shift_unknown": {
            str(reason): int(count)
            for reason, count in sorted(quality["shift_unknown"].value_counts().items())
            if reason
        },
        "age_days": _quantiles(quality["age_days"].dropna()),
    }


def _quantiles(values: pd.Series[float]) -> dict[str, float] | None:
    """Return least, median and largest value; None for no value."""
    if values.empty:
        return None
    found = {"least": values.min(), "median": values.median(), "largest": values.max()}
    return {name: round(float(value), 3) for name, value in found.items()}
