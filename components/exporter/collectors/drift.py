"""Drift: comparisons of acquisitions with champions' references, and requests for a retraining."""

from __future__ import annotations

from typing import get_args

from components.contract.errors import BadDataError, StormsightError
from components.contract.keys import CHAMPIONS
from components.exporter.sources import Sources
from components.lib.drift.records import Outcome, list_comparisons, read_comparisons
from components.lib.monitoring.readings import Readings
from components.lib.registry.ledger import champion_of


def collect_comparisons(sources: Sources, readings: Readings) -> None:
    """Count comparisons by outcome; a record never changes and is never pruned, so each is read once.

    Raises:
        BadDataError: If a record is damaged; nothing is told then, for a count without it would be wrong.
        SourceUnavailableError: If the store does not answer.
    """
    objects, known = sources.places.objects, sources.compared
    keys = [info.key for info in list_comparisons(objects)]
    new = [key for key in keys if key not in known]
    damaged: list[StormsightError] = []
    for key, record in zip(new, read_comparisons(objects, new), strict=True):
        if isinstance(record, StormsightError):
            damaged.append(record)
        else:
            known[key] = record.outcome
    if damaged:  # the others are known from now on
        raise damaged[0]
    for outcome in get_args(Outcome):  # all begin at 0, so that the first one is an increase
        readings.add(
            "stormsight_drift_comparisons_total", sum(known[key] == outcome for key in keys), outcome=outcome
        )


def collect_requests(sources: Sources, readings: Readings) -> None:
    """Count the requests for a retraining that name each model's present champion.

    One by an acquisition that was withdrawn asks for nothing any more.

    Raises:
        BadDataError: If the chain of requests, or the ledger of operations, is broken.
        SourceUnavailableError: If the store does not answer.
    """
    withdrawn = sources.state.withdrawn
    asked = [one for _, one in sources.requests.all() if one.acquisition not in withdrawn]
    for model in sources.places.objects.folders(f"{CHAMPIONS}/"):
        try:
            version = champion_of(sources.ledgers.of(model).entries())
        except BadDataError:  # the source of champions tells it
            continue
        if version is not None:
            standing = sum((one.model, one.version) == (model, version) for one in asked)
            readings.set("stormsight_retraining_requests_open", standing, model=model)
