"""Champions, challengers, and the challengers that wait for a person."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from components.contract.errors import StormsightError
from components.contract.keys import APPROVALS, CHAMPIONS
from components.exporter.sources import Sources
from components.lib.catalogue.judged import read_judgement
from components.lib.history.facts import ModelFacts
from components.lib.history.recorded import time_of
from components.lib.monitoring.readings import Readings
from components.lib.monitoring.trainings import UNKNOWN
from components.lib.registry.ledger import ChampionEntry, decision_of

LOG = logging.getLogger(__name__)


def collect_decisions(sources: Sources, readings: Readings) -> None:
    """Tell the time of the last decision, and the score of each model's newest challenger."""
    ends = [claim.ended for claim in sources.state.claims.values() if claim.succeeded and claim.ended]
    if ends:
        readings.set("stormsight_decision_last_timestamp_seconds", max(ends).timestamp())
    told: set[str] = set()
    for judged in _judged(sources):
        if judged.model not in told:
            told.add(judged.model)
            _score(readings, "stormsight_candidate_score", judged)


def collect_champions(sources: Sources, readings: Readings) -> None:
    """Tell each model's champion: version, method, score when it was judged, since when.

    Raises:
        BadDataError: If a history is broken; those before it, by name, are told.
    """
    judged = {one.decision_sha256: one for one in reversed(list(_judged(sources))) if one.decision_sha256}
    for model in sources.places.objects.folders(f"{CHAMPIONS}/"):
        entries = sources.ledgers.of(model).entries()
        if entries and entries[-1].version is not None:
            made = judged.get(decision_of(entries)) or _published(sources, model, entries)
            _champion(readings, model, entries[-1], made)


def collect_approvals(sources: Sources, readings: Readings) -> None:
    """Tell which challengers wait for a person, and since when.

    Raises:
        BadDataError: If a chain of approvals is broken.
    """
    for model in sources.places.objects.folders(f"{APPROVALS}/"):
        waiting = sources.ledgers.approvals(model).waiting()
        readings.set("stormsight_approvals_waiting", float(waiting is not None), model=model)
        if waiting is not None:
            since = time_of(waiting[0].time, f"the approval of {model}").timestamp()
            readings.set("stormsight_approval_requested_timestamp_seconds", since, model=model)


def _judged(sources: Sources) -> Iterator[ModelFacts]:
    """Yield the judgements in kept records, those of the newest run first."""
    return (model for facts in sources.history.runs for model in facts.models.values())


def _published(sources: Sources, model: str, entries: list[ChampionEntry]) -> ModelFacts | None:
    """Return the judgement by the champion's item, as no kept run has it (a user's own run); None without."""
    named = (model, str(entries[-1].version), decision_of(entries))
    if named not in sources.published:
        try:
            sources.published[named] = read_judgement(sources.places.objects, *named)
        except StormsightError as error:
            LOG.warning("%s version %s without score: %s", model, named[1], error.message)
            return None
    return sources.published[named]


def _champion(readings: Readings, model: str, last: ChampionEntry, made: ModelFacts | None) -> None:
    since = time_of(last.time, f"the champion of {model}").timestamp()
    readings.set("stormsight_promotion_last_timestamp_seconds", since, model=model)
    readings.set(
        "stormsight_champion_info",
        1,
        model=model,
        version=str(last.version),
        method=UNKNOWN if made is None else made.method,
        simulated=UNKNOWN if made is None else str(made.simulated).lower(),
    )
    if made is not None:
        _score(readings, "stormsight_champion_score", made)


def _score(readings: Readings, name: str, judged: ModelFacts) -> None:
    bounds = {"value": judged.score, "low": judged.low, "high": judged.high}
    for bound, value in bounds.items():
        if value is not None:
            readings.set(name, value, model=judged.model, metric=judged.metric, bound=bound)
