"""Runs and stages: outcomes from the ledger, stages from records, and the counts of what was pruned."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import product

from components.contract.failures import FailureKind
from components.exporter.sources import Settled, Sources
from components.lib.history.facts import RunFacts
from components.lib.monitoring.pruned import read_pruned
from components.lib.monitoring.readings import Readings
from components.lib.monitoring.trainings import UNKNOWN, class_label, count_records, stage_label
from components.lib.operations.events import Failed
from components.lib.operations.state import Claim, State

_METRICS = re.compile(r"reports/(?P<stage>[^/]+)/(?:[^/]+/)?metrics\.json")

LOOKED_AT = 50
"""Newest runs among whose metrics a throughput is looked for."""


def collect_outcomes(sources: Sources, readings: Readings) -> None:
    """Count runs by outcome, failures by class and stage, and the time from landing to decision.

    All of it is in the ledger's state, which is never pruned.
    """
    state = sources.read_history().state
    _begin_failures(sources, readings)
    newest = _Newest(state)
    for outcome in ("succeeded", "failed"):
        readings.add("stormsight_runs_total", 0, outcome=outcome)
    for claim in state.claims.values():
        if claim.succeeded:
            readings.add("stormsight_runs_total", outcome="succeeded")
            landed = newest.of(claim)
            if landed is not None and claim.ended is not None:
                waited = max(0.0, (claim.ended - landed).total_seconds())
                readings.observe("stormsight_landing_to_decision_seconds", waited)
        for failure_class, stage in _failures(claim):
            readings.add("stormsight_runs_total", outcome="failed")
            readings.add("stormsight_run_failures_total", failure_class=failure_class, stage=stage)
    failing = _failing(state)
    if failing is not None:
        failure_class, stage = class_label(failing.failure_class), stage_label(failing.stage)
        readings.set("stormsight_run_failing", 1, failure_class=failure_class, stage=stage)


def collect_records(sources: Sources, readings: Readings) -> None:
    """Count stages, failed attempts and judgements of kept records, and add those of pruned ones.

    Raises:
        BadDataError: If the counts of pruned trainings are damaged.
    """
    sources.held = {}
    history = sources.history
    # After the records: what was pruned in between is in it by now.
    pruned = read_pruned(sources.places.objects)
    runs = {(facts.key, facts.run): facts for facts in history.runs if facts.kept and not pruned.holds(facts)}
    if not sources.settled.runs <= runs.keys():  # some were pruned: they come with the other counts now
        sources.settled = Settled()
    settled = sources.settled
    for name, facts in runs.items():
        if facts.outcome != "succeeded":
            count_records(readings, facts, sources.graph)
        elif name not in settled.runs:
            count_records(settled.counts, facts, sources.graph)
            settled.runs.add(name)
    readings.merge(settled.counts.saved())
    readings.merge(pruned.counts)
    gpus, cpus = (readings.by_label(f"stormsight_{one}_seconds_total") for one in ("gpu", "cpu"))
    sources.held = {stage: (gpus.get(stage, 0.0), seconds) for stage, seconds in cpus.items()}


def collect_cost(sources: Sources, readings: Readings) -> None:
    """Price the GPU- and CPU-seconds of the records, kept or pruned; prices that change price all of them.

    Raises:
        ParameterError: If params.yaml cannot be read: it has the prices.
    """
    for stage, held in sources.held.items():
        cost, joules = sources.prices.held(*held), sources.prices.joules(*held)
        readings.add("stormsight_cost_total", cost, stage=stage, currency=sources.prices.currency)
        readings.add("stormsight_energy_joules_total", joules, stage=stage)


def collect_throughput(sources: Sources, readings: Readings) -> None:
    """Tell the throughput of the newest training of each stage, among the newest runs."""
    found: dict[str, float] = {}
    for facts in reversed(sources.history.runs[:LOOKED_AT]):
        found.update(_throughput(facts))
    for stage, rate in found.items():
        readings.set("stormsight_training_tiles_per_second", rate, stage=stage)


def _begin_failures(sources: Sources, readings: Readings) -> None:
    """Begin the counts of all failures at 0: of a series that begins at 1, Prometheus sees no increase."""
    stages = (*sources.graph.names(sources.places.profile), UNKNOWN)
    for stage, failure_class in product(stages, {*map(str, FailureKind), UNKNOWN}):
        for name in ("stormsight_run_failures_total", "stormsight_stage_failures_total"):
            readings.add(name, 0, failure_class=failure_class, stage=stage)


def _failing(state: State) -> Failed | None:
    """Return the failure that ended the newest training; None if the newest succeeded, or none has ended."""
    ended = [(claim.ended, claim.outcome) for claim in state.claims.values() if claim.ended is not None]
    newest = max(ended, key=lambda pair: pair[0], default=None)
    return newest[1] if newest is not None and isinstance(newest[1], Failed) else None


def _failures(claim: Claim) -> Iterator[tuple[str, str]]:
    """Yield the labels of each failed run of a training."""
    for earlier in claim.earlier:
        yield class_label(earlier.failure_class), stage_label(earlier.stage)
    if isinstance(claim.outcome, Failed):
        yield class_label(claim.outcome.failure_class), stage_label(claim.outcome.stage)


class _Newest:
    """Time at which the newest acquisition of each training was registered."""

    def __init__(self, state: State) -> None:
        self._times = state.times
        self._names = list(state.registered)
        self._withdrawn = {name: number for number, name in enumerate(state.withdrawn)}

    def of(self, claim: Claim) -> datetime | None:
        """Return the time; None if the set is empty."""
        if claim.claimed.chosen:
            return max((self._times[name] for name in claim.claimed.acquisitions or ()), default=None)
        for number in range(claim.registered - 1, -1, -1):
            name = self._names[number]
            if self._withdrawn.get(name, claim.withdrawn) >= claim.withdrawn:
                return self._times[name]
        return None


def _throughput(facts: RunFacts) -> Iterator[tuple[str, float]]:
    """Yield the crops per second that the trainings of a run state in their metrics, by stage."""
    for path, content in sorted(facts.metrics.items()):
        found = _METRICS.fullmatch(path)
        rate = content.get("crops_per_second") if found and isinstance(content, dict) else None
        if found and isinstance(rate, int | float):
            yield found["stage"], float(rate)
