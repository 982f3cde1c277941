"""Reports of comparisons as records hold them."""

from __future__ import annotations

from typing import Any


def comparison(acquisition: str, *, drifted: bool) -> dict[str, Any]:
    """Return the report of an acquisition whose mean has shifted, or has not, as JSON values."""
    effect = 2.0 if drifted else 0.1
    rows = [
        {
            "statistic": name, "p_value": 0.01 if drifted and value > 1 else 0.6, "effect": value,
            "low": value - 0.5, "high": value + 0.5, "reference_mean": 30.0, "acquisition_mean": 30.0 + value,
        }
        for name, value in (("sar_mean_HH", effect), ("sar_texture_HH", -0.2))
    ]  # fmt: skip
    return {
        "kind": "drift", "schema": 1, "of": "pixels", "acquisition": acquisition,
        "sensor": "simulated-airborne", "simulated": True, "drifted": drifted,
        "p_value": rows[0]["p_value"], "alpha": 0.05, "shifted": ["sar_mean_HH"] if drifted else [],
        "reference": {
            "model": "stormsight-sar", "version": "1", "sha256": "0" * 64, "acquisitions": ["old"],
        },
        "locations": {"reference": 20, "acquisition": 12, "block_m": 1000.0},
        "permutations": 999, "seed": 0, "statistics": rows, "untested": {},
        "request": {"seq": 1, "time": "2026-11-29T00:00:00+00:00", "actor": "duty"} if drifted else None,
    }  # fmt: skip
