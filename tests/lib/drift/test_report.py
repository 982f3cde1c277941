"""Reports of comparisons where outlines are known on both sides, on one, and on none."""

from __future__ import annotations

import pandas as pd
import pytest

from components.lib.drift.reference import Reference
from components.lib.drift.report import CompareOptions, Drift, compare_pixels
from components.lib.drift.tiles import decoded, encoded, of_features
from tests.lib.drift.tables import SIDE_M, features

OFFSETS = {"sar_offset_east_m", "sar_offset_range_m"}
OPTIONS = CompareOptions(permutations=999)


def compared(reference: pd.DataFrame, acquisition: pd.DataFrame) -> Drift:
    """Compare with a reference that went through its file."""
    tiles = decoded(encoded(of_features(reference, SIDE_M)), "drift.parquet")
    name = str(acquisition["acquisition"].iloc[0])
    reference_of = Reference(tiles=tiles, sha256="0" * 64)
    return compare_pixels(of_features(acquisition, SIDE_M), name, reference_of, OPTIONS)


def test_a_moved_image_is_found_by_its_offset_alone() -> None:
    reference = pd.concat([features("old", 40, 1, east_m=0.0), features("older", 16, 2)])
    found = compared(reference, features("new", 40, 3, east_m=8.0)).comparison
    assert found.shifted == ("sar_offset_east_m",)
    (row,) = (one for one in found.statistics if one.statistic == "sar_offset_east_m")
    assert row.acquisition_mean - row.reference_mean == pytest.approx(8.0, abs=0.7)
    assert not found.untested, "13 of 28 locations of the reference lack it, which is less than half"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (None, 0.0, "the reference lacks it at 100% of its locations"),
        (0.0, None, "the acquisition lacks it at 100% of its locations"),
        (None, None, None),
    ],
)
def test_offsets_that_one_side_lacks_are_not_tested(
    before: float | None, after: float | None, reason: str | None
) -> None:
    found = compared(features("old", 40, 1, east_m=before), features("new", 40, 3, east_m=after))
    report = found.report(None)
    assert report["untested"] == ({} if reason is None else dict.fromkeys(sorted(OFFSETS), reason))
    assert not OFFSETS & {row["statistic"] for row in report["statistics"]}
    assert len(report["statistics"]) == 9, "all others are"
