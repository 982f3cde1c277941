"""Counts of one run's records: stages, failed attempts, judgements.

Housekeeping adds them up of what it prunes, the exporter of what is kept (:mod:`.pruned`).
"""

from __future__ import annotations

from datetime import datetime

from components.contract.failures import FailureKind
from components.lib.history.facts import RunFacts, StageFacts
from components.lib.history.requirements import GraphRequirements
from components.lib.monitoring.counts import Counts

STEPS = ("pull", "run", "push")
"""Steps of a stage whose time is counted."""

UNKNOWN = "unknown"
"""Label where nothing is recorded: the stage of a run that fell silent, a failure class of other code."""


def count_records(counts: Counts, facts: RunFacts, graph: GraphRequirements) -> None:
    """Add what the records of a run tell; stages that it found from an earlier run are that one's.

    Args:
        counts: Counters and histograms that grow.
        facts: The run.
        graph: Present graph, which says what a stage waits for.
    """
    for stage in facts.stages.values():
        if stage.run == facts.run:
            _count_stage(counts, stage)
            waited = wait_of(stage, facts, graph)
            if waited is not None:
                counts.observe("stormsight_stage_wait_seconds", waited, stage=stage.name)
    for failure in facts.failures:
        counts.add(
            "stormsight_stage_failures_total",
            stage=stage_label(failure.stage),
            failure_class=class_label(failure.failure_class),
        )
    for model in facts.models.values():
        counts.add(
            "stormsight_gate_decisions_total", model=model.model, outcome=model.outcome.replace(" ", "_")
        )


def wait_of(stage: StageFacts, facts: RunFacts, graph: GraphRequirements) -> float | None:
    """Return the seconds between the moment a stage could start and its start; None if unknown.

    It could start when the last stage that it reads from had ended, and not before the run's claim. What
    failed attempts took is part of it.
    """
    upstream = graph.upstream(stage.stage, facts.profile)
    if upstream is None or stage.started is None or facts.started is None:
        return None
    ends = [facts.started]
    for address in upstream:
        before = facts.stages.get(address)
        if before is None or before.ended is None:
            return None
        ends.append(before.ended)
    return max(0.0, _seconds(max(ends), stage.started))


def stage_label(stage: str) -> str:
    """Return the label of a stage: its name without the part; ``unknown`` without one.

    >>> stage_label("download@p07"), stage_label("")
    ('download', 'unknown')
    """
    return stage.partition("@")[0] or UNKNOWN


def class_label(failure_class: str) -> str:
    """Return the label of a failure class: one that this code knows, or ``unknown``."""
    return failure_class if failure_class in set(FailureKind) else UNKNOWN


def _count_stage(counts: Counts, stage: StageFacts) -> None:
    name = stage.name
    counts.add("stormsight_stages_total", stage=name, restored=str(stage.restored).lower())
    duration = max(0.0, stage.duration or 0.0)
    counts.observe("stormsight_stage_duration_seconds", duration, stage=name)
    for step in STEPS:
        counts.add("stormsight_stage_step_seconds_total", stage.seconds.get(step, 0.0), stage=name, step=step)
    counts.add("stormsight_gpu_seconds_total", duration * (stage.gpus or 0), stage=name)
    counts.add("stormsight_cpu_seconds_total", duration * (stage.cpus or 0.0), stage=name)
    counts.add("stormsight_bytes_moved_total", stage.output_bytes or 0, stage=name)


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()
