"""Stamps of finished trials with given counts per tile."""

from __future__ import annotations

from typing import Any

import pandas as pd

from components.experiments.identity import Stamp

BLOCKS = 16


def stamp(seed: int, hits: int, misses: int, *, first: bool = True, steps: int = 40) -> Stamp:
    """A trial that finds ``hits`` of ``hits + misses`` pixels, buildings and roads on each of 16 blocks."""
    tiles = pd.DataFrame(
        {
            "sensor": "simulated-airborne",
            "image_id": [f"t{n}" for n in range(BLOCKS)],
            "location": [f"{10 * n}_0" for n in range(BLOCKS)],
            "clean": [n > 0 for n in range(BLOCKS)],
            **{"px_tp": hits, "px_fp": 0, "px_fn": misses, "px_tn": 9, "tp": hits, "fp": 0, "fn": misses},
            **{"road_px": hits + misses, "road_near_px": hits, "proposed_px": 50, "proposed_near_px": 50},
            **{"apls_sum": hits / (hits + misses), "apls_tiles": 1.0},
        }
    )
    tiles["px_tp"] += [n % 2 for n in range(BLOCKS)]
    training: dict[str, Any] = {
        "parameters": 1000, "steps": steps, "seconds": 5.0, "simulated": True, "iou": 0.4,
    }  # fmt: skip
    return {
        "seed": seed,
        "tiles": tiles,
        "pretraining": training if first else None,
        "training": {**training, "steps": steps if first else 2 * steps},
    }
