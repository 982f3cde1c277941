"""Comparisons of acquisitions with what champions were trained on, of the store and of the checkout."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.lib.drift.records import ComparisonRecord, list_comparisons, read_comparisons
from components.lib.folders import read_bounded
from components.lib.foreign import read_json_text
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked

REPORTS = Path("reports/drift")

SHOWN = 24
"""Newest comparisons that the page shows of each place."""

_LARGEST = 4 * 2**20


@dataclass(frozen=True, slots=True)
class KnownComparison:
    """Comparison that is shown.

    Attributes:
        record: Its report.
        time: Time at which it was written, UTC.
        by_hand: Whether a person made it, in the checkout.
    """

    record: ComparisonRecord
    time: datetime
    by_hand: bool


def comparisons_here(checkout: Path) -> list[KnownComparison]:
    """Return the newest reports of ``python -m components.drift compare`` in a checkout, newest first.

    Raises:
        BadDataError: If one is damaged.
        MissingInputError: If one cannot be read.
    """
    times = {
        path: datetime.fromtimestamp(path.stat().st_mtime, UTC)
        for path in (checkout / REPORTS).glob("*/drift.json")
    }
    newest = sorted(times, key=lambda path: (times[path], path), reverse=True)[:SHOWN]
    return [KnownComparison(_read(path, checkout), times[path], by_hand=True) for path in newest]


def comparisons_in_store(objects: ObjectStore, known: dict[str, KnownComparison]) -> list[KnownComparison]:
    """Return the newest comparisons that trainings made, newest first.

    Args:
        objects: The store.
        known: Those that were read before, by key; what is read now is added. They never change.

    Raises:
        BadDataError: If one is damaged.
        SourceUnavailableError: If the store does not answer.
    """
    listed = list_comparisons(objects)[:SHOWN]
    new = [info for info in listed if info.key not in known]
    for info, record in zip(new, read_comparisons(objects, [info.key for info in new]), strict=True):
        known[info.key] = KnownComparison(record, info.modified, by_hand=False)
    return [known[info.key] for info in listed]


def _read(path: Path, checkout: Path) -> ComparisonRecord:
    name = str(path.relative_to(checkout))
    content = read_bounded(path, name, _LARGEST, next_step="make it again")
    return checked(read_json_text(content, name), ComparisonRecord, name=name)
