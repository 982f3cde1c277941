"""Facts of made-up trainings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from components.lib.history.facts import FailureFacts, RunFacts, StageFacts

BEGIN = datetime(2026, 11, 29, 3, tzinfo=UTC)


def stage(name: str, run: str = "one", *, begin: float = 0, seconds: float = 3600, **more: Any) -> StageFacts:
    """Return a stage on one core and no GPU, begun ``begin`` seconds after ``BEGIN``."""
    started = BEGIN + timedelta(seconds=begin)
    given: dict[str, Any] = {"gpus": 0, "cpus": 1.0, "image": "local", "restored": False, "seconds": {}}
    return StageFacts(
        **given | {"started": started, "ended": started + timedelta(seconds=seconds)} | more,
        stage=name,
        run=run,
    )


def training(*stages: StageFacts, run: str = "one", **more: Any) -> RunFacts:
    """Return a run of these stages that ended an hour after ``BEGIN`` with success."""
    given: dict[str, Any] = {
        "key": "k" * 64, "profile": "rehearsal", "code": "c" * 64, "params": "d" * 64,
        "acquisitions": ("flight-7",),
        "started": BEGIN, "ended": BEGIN + timedelta(hours=1), "outcome": "succeeded", "promoted": False,
    }  # fmt: skip
    return RunFacts(**given | more, run=run, stages={one.stage: one for one in stages})


def failure(name: str, run: str = "one", **more: Any) -> FailureFacts:
    """Return a failed attempt at a stage, ten minutes after ``BEGIN``."""
    given: dict[str, Any] = {
        "failure_class": "evicted",
        "time": BEGIN + timedelta(minutes=10),
        "message": "preempted",
    }
    return FailureFacts(**given | more, stage=name, run=run)
