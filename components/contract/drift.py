"""Keys of drift: references of champions, and comparisons of acquisitions with them."""

from __future__ import annotations

DRIFT_TABLE, DRIFT_NOTE = "drift.parquet", "drift.json"
"""Files beside those of a model: statistics of its training tiles, and the sealed note about them."""

COMPARISONS = "drift/"
"""Prefix of all comparisons: one for an acquisition and a champion, as there is one request at most."""


def comparisons_prefix(model: str, version: str) -> str:
    """Return the prefix of the comparisons with the reference of a model's version."""
    return f"{COMPARISONS}{model}/{version}/"


def comparison_key(model: str, version: str, acquisition: str) -> str:
    """Return the key of the comparison of an acquisition with the reference of a model's version."""
    return f"{comparisons_prefix(model, version)}{acquisition}.json"
