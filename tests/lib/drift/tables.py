"""Tables of features as validation leaves them, filled with noise."""

from __future__ import annotations

import numpy as np
import pandas as pd

BANDS = ("HH", "HV", "VH", "VV")
SIDE_M = 1000.0


def features(acquisition: str, tiles: int, seed: int, *, brighter: float = 0.0) -> pd.DataFrame:
    """Two tiles to a ground block, and what of their columns the statistics need."""
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
    return pd.DataFrame(rows)
