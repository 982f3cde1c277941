"""``python -m components.predict changes BEFORE AFTER --out DIR``: building changes between two maps."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.contract.temporary import scratch_folder
from components.lib.change.footprints.changes import BuildingChanges
from components.lib.change.footprints.rules import FootprintRules
from components.lib.files import atomic_directory, require_replaceable
from components.predict.changes.making import counts_in_words, write_changes
from components.predict.changes.opening import OpenedMap, open_map
from components.predict.changes.page import PAGE
from components.predict.changes.table import PARQUET

_DEFAULTS = FootprintRules()


def add_command(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser."""
    parser.add_argument("before", metavar="BEFORE_MAP", help="folder or s3:// prefix of the earlier map")
    parser.add_argument("after", metavar="AFTER_MAP", help="folder or s3:// prefix of the later map")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the changes")
    parser.add_argument("--gpkg", action="store_true", help="a GeoPackage, too")
    parser.add_argument(
        "--tolerance",
        type=float,
        default=_DEFAULTS.tolerance_m,
        metavar="M",
        help="misregistration that is no change, metres (%(default)s)",
    )
    parser.add_argument(
        "--min-area",
        type=float,
        default=_DEFAULTS.min_area_m2,
        metavar="M2",
        help="least changed ground, square metres (%(default)s)",
    )


@dataclass(frozen=True, slots=True)
class ChangeSummary:
    """Outcome of a comparison, for people.

    Attributes:
        text: Summary in lines.
        warnings: Doubts about the maps.
    """

    text: str
    warnings: tuple[str, ...]


def map_changes(options: argparse.Namespace) -> ChangeSummary:
    """Compare two maps and write the folder of changes, whole or not at all.

    Raises:
        StormsightError: If a map cannot be opened or compared, or the folder cannot be written.
    """
    rules = FootprintRules(tolerance_m=options.tolerance, min_area_m2=options.min_area)
    require_replaceable(options.out, PARQUET, "changes")
    with scratch_folder("changes") as scratch:
        before, after = (
            open_map(options.before, scratch / "before"),
            open_map(options.after, scratch / "after"),
        )
        simulated = before.simulated or after.simulated
        created = datetime.now(UTC) if options.gpkg else None
        with atomic_directory(options.out) as folder:
            found = write_changes(folder, before, after, rules, geopackage=created)
    return ChangeSummary(_text(found, options.out, simulated=simulated), _doubts(before, after))


def _text(found: BuildingChanges, out: Path, *, simulated: bool) -> str:
    counts = counts_in_words(found.counts(), found.unobserved)
    return f"{'SIMULATED, ' if simulated else ''}{counts}\n  {out / PAGE}"


def _doubts(before: OpenedMap, after: OpenedMap) -> tuple[str, ...]:
    first, second = before.footprints, after.footprints
    doubts = []
    if first.id == second.id:
        doubts.append("both are the same map")
    if first.date and second.date and first.date > second.date:
        doubts.append(f"{first.id} shows a later day than {second.id}: the maps may be swapped")
    if not before.same_model(after):
        doubts.append(f"the maps were made by two models, {before.model} and {after.model}")
    return tuple(doubts)
