"""Files of a comparison: the table, its GeoPackage, vector tiles and the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from components.lib.change.footprints.changes import BuildingChanges, compare_maps
from components.lib.change.footprints.rules import FootprintRules
from components.predict.changes.opening import OpenedMap
from components.predict.changes.page import write_page
from components.predict.changes.table import write_change_geopackage, write_table


def write_changes(
    folder: Path,
    before: OpenedMap,
    after: OpenedMap,
    rules: FootprintRules,
    *,
    geopackage: datetime | None = None,
    pages: Mapping[str, str | None] | None = None,
) -> BuildingChanges:
    """Compare two maps and write all files of their changes.

    The bytes depend on the arguments alone.

    Args:
        folder: Folder to write into.
        before: Earlier map.
        after: Later map.
        rules: Thresholds of the comparison.
        geopackage: Time that a GeoPackage states; None to write none.
        pages: Addresses of the pages of the maps ``before`` and ``after``, relative to ``folder``.

    Raises:
        BadDataError: If the maps cannot be compared.
        ResourceError: If the disk is full, or the tiles cannot be made.
    """
    found = compare_maps(before.footprints, after.footprints, rules)
    write_table(folder, found.table, before.footprints.crs, simulated=before.simulated or after.simulated)
    if geopackage is not None:
        write_change_geopackage(folder, created=geopackage)
    write_page(folder, before, after, found, rules, pages=pages or {})
    return found


def counts_in_words(counts: Mapping[str, int], unobserved: int) -> str:
    """Return numbers of changes by kind, and of those left out, in words."""
    found = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    unseen = f"; {unobserved:,} left out, as one map has no data there" if unobserved else ""
    return found + unseen
