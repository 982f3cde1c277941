"""Numbers about a store of pairs, for the stage's metrics and details."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from components.lib.change.datasets.finding import Refused
from components.lib.change.datasets.leaks import Leak
from components.lib.change.store.layout import SPLITS

MOST_LISTED = 1000
"""Pairs that are listed one by one in the details; their number is told in any case."""


def split_numbers(index: pd.DataFrame, tile_px: int) -> dict[str, dict[str, Any]]:
    """Return by split: pairs, scenes, tiles, tiles without change and all change, and pixel shares."""
    numbers: dict[str, dict[str, Any]] = {}
    for split in SPLITS:
        tiles = index[index["split"] == split]
        known = tiles["known_share"].to_numpy()
        changed = tiles["changed_share"].to_numpy()
        numbers[split] = {
            "pairs": int(tiles["name"].nunique()),
            "scenes": int(tiles["scene"].nunique()),
            "tiles": len(tiles),
            "tiles_without_change": int((changed == 0).sum()),
            "tiles_all_change": int((changed == 1).sum()),
            "known_pixels": round(float(known.sum()) * tile_px**2),
            "changed_pixels": round(float((known * changed).sum()) * tile_px**2),
        }
    return numbers


def one_sided(numbers: dict[str, dict[str, Any]]) -> list[str]:
    """Return warnings about splits in which nothing is known, or nothing or everything changed."""
    told = []
    for split, found in numbers.items():
        if found["tiles"] and not found["known_pixels"]:
            told.append(f"split {split} has no known pixel in any of its {found['tiles']} tiles")
        elif found["tiles"] and found["tiles_without_change"] == found["tiles"]:
            told.append(f"split {split} has no change in any of its {found['tiles']} tiles")
        if found["tiles"] and found["tiles_all_change"] == found["tiles"]:
            told.append(f"all of split {split} is change; is its label inverted?")
    return told


def metrics(numbers: dict[str, dict[str, Any]], left_out: float, leaks: Sequence[Leak]) -> dict[str, Any]:
    """Return the few numbers that DVC shows."""
    return {
        **{f"{split}_tiles": found["tiles"] for split, found in numbers.items()},
        **{
            f"{split}_changed_share": round(found["changed_pixels"] / max(found["known_pixels"], 1), 6)
            for split, found in numbers.items()
        },
        "left_out_share": round(left_out, 6),
        "leaks": len(leaks),
    }


def listed(refused: Sequence[Refused], leaks: Sequence[Leak]) -> dict[str, Any]:
    """Return what was left out and what leaks, one by one and counted."""
    return {
        "left_out": [
            {"name": one.name, "reason": one.reason, "message": one.message} for one in refused[:MOST_LISTED]
        ],
        "left_out_by_reason": dict(sorted(Counter(one.reason for one in refused).items())),
        "leaks": [
            {
                "kind": leak.kind,
                "first": leak.first,
                "first_split": leak.first_split,
                "second": leak.second,
                "second_split": leak.second_split,
                "tiles": leak.tiles,
            }
            for leak in leaks[:MOST_LISTED]
        ],
        "leaks_by_kind": dict(sorted(Counter(leak.kind for leak in leaks).items())),
    }
