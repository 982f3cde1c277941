"""Tables of features as validation leaves them, filled with noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

BANDS = ("HH", "HV", "VH", "VV")
SIDE_M = 1000.0


def features(
    acquisition: str, tiles: int, seed: int, *, brighter: float = 0.0, east_m: float | None = None
) -> pd.DataFrame:
    """Two tiles to a ground block, and what of their columns the statistics need.

    With ``east_m``, by which images lie too far east, tiles have offsets, but for the first quarter of them.
    """
    rng = np.random.default_rng(seed)
    rows = [
        {
            "acquisition": acquisition,
            "sensor": "simulated-airborne",
            "image_id": f"{acquisition}_tile_{number}",
            "strip": "s",
            "sar_readable": True,
            "sar_x_left_m": seed * 1e5 + number // 2 * SIDE_M + 10.0,
            "sar_y_top_m": 4500.0 - 100.0,
            "sar_width": 400,
            "sar_height": 400,
            "sar_resolution_x_m": 0.5,
            "sar_resolution_y_m": 0.5,
            "sar_nodata_share": rng.uniform(),
            "sar_min_std": 3.0,
            **{f"sar_mean_{band}": 30.0 + brighter + rng.normal() for band in BANDS},
            **{f"sar_texture_{band}": rng.normal() for band in BANDS},
        }
        for number in range(tiles)
    ]
    table = pd.DataFrame(rows)
    if east_m is None:
        return table
    offsets = rng.normal(size=(2, tiles))
    offsets[:, : tiles // 4] = np.nan
    return table.assign(sar_offset_east_m=offsets[0] + east_m, sar_offset_range_m=offsets[1])
