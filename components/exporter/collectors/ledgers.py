"""Hash chains and the databases' dumps."""

from __future__ import annotations

from collections.abc import Callable, Sized

from components.contract.errors import BadDataError
from components.contract.keys import APPROVALS, CHAMPIONS, REQUESTS
from components.exporter.sources import Sources
from components.lib.monitoring.readings import Readings

DUMP = ".dump"
"""End of a dump's name."""


def collect_ledgers(sources: Sources, readings: Readings) -> None:
    """Tell the length of each chain, and whether it verified.

    The operations ledger is read from its first entry when the process starts, then entry by entry as it
    grows; the nightly verification of housekeeping reads all of it again.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    objects, ledgers = sources.places.objects, sources.ledgers
    _verify(readings, "operations", sources.read_entries)
    for model in objects.folders(f"{CHAMPIONS}/"):
        _verify(readings, f"champions/{model}", ledgers.of(model).entries)
    for model in objects.folders(f"{APPROVALS}/"):
        _verify(readings, f"approvals/{model}", ledgers.approvals(model).all)
    if objects.list(f"{REQUESTS}/"):  # an acquisition that has drifted begins it
        _verify(readings, "requests", sources.requests.all)


def collect_backups(sources: Sources, readings: Readings) -> None:
    """Tell the time of the newest dump; nothing where no backup place is set.

    Raises:
        SourceUnavailableError: If the store does not answer.
    """
    if sources.places.backups is None:
        return
    dumps = [info.modified for info in sources.places.backups.list() if info.key.endswith(DUMP)]
    if dumps:
        readings.set("stormsight_backup_last_timestamp_seconds", max(dumps).timestamp())


def _verify(readings: Readings, ledger: str, read: Callable[[], Sized]) -> None:
    """Read a chain; a broken one is a value, not a failure of its source."""
    try:
        readings.set("stormsight_ledger_entries", len(read()), ledger=ledger)
    except BadDataError:
        readings.set("stormsight_ledger_verified", 0, ledger=ledger)
        return
    readings.set("stormsight_ledger_verified", 1, ledger=ledger)
