"""Names of the sets of test tiles that scores are told on."""

CLEAN = "sn6-clean"
"""Test tiles on ground that no train tile saw."""
KANG = "sn6-kang"
"""All test tiles: the published validation list, which overlaps train ground."""
