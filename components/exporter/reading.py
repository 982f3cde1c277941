"""One reading of all sources; each fails alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from components.contract.errors import SourceUnavailableError, StormsightError
from components.exporter.collectors import claims, data, drift, ledgers, maps, models, runs
from components.exporter.sources import Sources
from components.lib.monitoring.readings import Readings

LOG = logging.getLogger(__name__)

Collect = Callable[[Sources, Readings], None]

COLLECTORS: tuple[tuple[str, tuple[Collect, ...]], ...] = (
    ("operations", (runs.collect_outcomes, claims.collect_claims, data.collect_acquisitions)),
    (
        "records",
        (
            runs.collect_records,
            runs.collect_throughput,
            data.collect_verdict,
            models.collect_decisions,
        ),
    ),
    ("pipeline", (claims.collect_standing, runs.collect_cost)),
    ("champions", (models.collect_champions,)),
    ("approvals", (models.collect_approvals,)),
    ("landing", (data.collect_landing,)),
    ("maps", (maps.collect_maps,)),
    ("drift", (drift.collect_comparisons, drift.collect_requests)),
    ("ledgers", (ledgers.collect_ledgers,)),
    ("backups", (ledgers.collect_backups,)),
)
"""Collectors by source, operations and records first: others use what they read."""


OWN_STORES = {"landing": "landing", "backups": "backups"}
"""Stores of the sources that are not in the store of ledgers and records."""

PATIENCE_S = 5.0
"""Seconds after which a failure counts as silence; a store that says no does so at once."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Result of one reading.

    Attributes:
        readings: All values.
        time: Time of its end.
        failed: Message by source that could not be read.
    """

    readings: Readings
    time: datetime
    failed: dict[str, str]


def read_all(sources: Sources) -> Reading:
    """Read all sources: one that fails is down, and its collectors that failed tell nothing.

    A store that did not answer within :data:`PATIENCE_S` is not asked again in this reading: each request is
    tried for minutes, and the other stores' values would be hours old.
    """
    begun = time.monotonic()
    total, failed, silent = Readings(), dict[str, str](), dict[str, str]()
    for source, collectors in COLLECTORS:
        store = OWN_STORES.get(source, "objects")
        for collect in collectors:
            if store in silent:
                failed.setdefault(source, silent[store])
                continue
            own, asked = Readings(), time.monotonic()
            try:
                collect(sources, own)
            except StormsightError as error:
                failed.setdefault(source, error.message)
                late = time.monotonic() - asked > PATIENCE_S
                if late and isinstance(error, SourceUnavailableError):
                    silent[store] = error.message
            except Exception as error:  # a defect in one collector must not blind the people on duty
                LOG.exception("collector %s failed", collect.__name__)
                failed.setdefault(source, f"defect: {error!r}")
            else:
                total.update(own)
        total.set("stormsight_source_up", float(source not in failed), source=source)
    total.set("stormsight_records_unreadable", _unreadable(sources))
    now = sources.clock()
    total.set("stormsight_collect_duration_seconds", time.monotonic() - begun)
    total.set("stormsight_collect_last_timestamp_seconds", now.timestamp())
    return Reading(total, now, failed)


def require_some(reading: Reading) -> None:
    """Refuse a reading that read nothing.

    Raises:
        SourceUnavailableError: If all sources failed.
    """
    readable = {source for source, _ in COLLECTORS} - {"pipeline", "backups"} - reading.failed.keys()
    if not readable:
        source, message = next(iter(reading.failed.items()))
        raise SourceUnavailableError(
            f"nothing could be read: {source}: {message}",
            next_step="check STORMSIGHT_OBJECTS and STORMSIGHT_LANDING, and that the store answers",
        )


def _unreadable(sources: Sources) -> int:
    try:
        return len(sources.history.problems)
    except StormsightError:
        return 0
