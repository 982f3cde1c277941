"""Starts of the DAGs that take what is registered: by events, by the clock, and by a person's choice."""

from __future__ import annotations

from typing import Any

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, Param

CHOSEN = "acquisitions"
"""Parameter of a run that names the acquisitions to take."""


def events_and_clock(events: Any, cron: str | None) -> Any:  # noqa: ANN401 - Airflow's kinds of schedules
    """Return the schedule of a DAG that events of assets start, and a cron expression (UTC) if given."""
    if not cron:
        return events
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(cron, timezone="UTC"), assets=events)


def chosen_acquisitions(description: str) -> dict[str, Param]:
    """Return the parameter by which a person chooses acquisitions.

    Args:
        description: Use of the ids, and of an empty text.
    """
    return {
        CHOSEN: Param(
            "", type="string", pattern="^[a-z0-9, -]*$", title="Acquisitions", description=description
        )
    }
