"""Comparisons of acquisitions with what champions were trained on, of the store and of the checkout."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from components.contract.errors import StormsightError
from components.dashboard.notices import STORE, Notices
from components.lib.drift.records import ComparisonRecord, list_comparisons, read_comparisons
from components.lib.folders import read_bounded
from components.lib.foreign import read_json_text
from components.lib.objects.protocol import ObjectStore
from components.lib.objects.sealed import checked

T = TypeVar("T")

REPORTS = Path("reports/drift")

COMPARED, COMPARED_HERE = "comparisons with champions", "comparisons in this checkout"
"""Names of both places, in words."""

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


def comparisons_here(checkout: Path, notices: Notices) -> list[KnownComparison]:
    """Return the newest reports of ``python -m components.drift compare`` in a checkout, newest first.

    Args:
        checkout: The checkout.
        notices: What cannot be read is told there, and left out.
    """
    found = newest_reports(checkout, "*/drift.json", ComparisonRecord, COMPARED_HERE, notices)
    return [KnownComparison(record, time, by_hand=True) for record, time in found]


def newest_reports(
    checkout: Path, pattern: str, kind: type[T], source: str, notices: Notices
) -> list[tuple[T, datetime]]:
    """Return the newest reports below ``reports/drift`` of a checkout with their times, newest first.

    Args:
        checkout: The checkout.
        pattern: Pattern of their paths below ``reports/drift``.
        kind: Dataclass that they are checked against.
        source: Name of them in notices.
        notices: What cannot be read is told there, and left out.
    """
    times: dict[Path, datetime] = {}
    for path in (checkout / REPORTS).glob(pattern):
        with suppress(OSError):  # removed meanwhile, or a link to nowhere
            times[path] = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    newest = sorted(times, key=lambda path: (times[path], path), reverse=True)[:SHOWN]
    read = ((path, notices.attempt(source, partial(_read, path, checkout, kind))) for path in newest)
    return [(found, times[path]) for path, found in read if found is not None]


def comparisons_in_store(
    objects: ObjectStore, known: dict[str, KnownComparison], notices: Notices
) -> list[KnownComparison]:
    """Return the newest comparisons that trainings made, newest first.

    Args:
        objects: The store.
        known: Those that were read before, by key; what is read now is added. They never change.
        notices: What cannot be read is told there, and left out.
    """
    listed = notices.attempt(COMPARED, lambda: list_comparisons(objects)[:SHOWN], store=STORE) or []
    new = [info for info in listed if info.key not in known]
    read = notices.attempt(
        COMPARED, partial(read_comparisons, objects, [one.key for one in new]), store=STORE
    )
    for info, record in zip(new, read or [], strict=False):
        if isinstance(record, StormsightError):
            notices.tell(COMPARED, record)
        else:
            known[info.key] = KnownComparison(record, info.modified, by_hand=False)
    return [known[info.key] for info in listed if info.key in known]


def _read(path: Path, checkout: Path, kind: type[T]) -> T:
    name = str(path.relative_to(checkout))
    content = read_bounded(path, name, _LARGEST, next_step="make it again")
    return checked(read_json_text(content, name), kind, name=name)
