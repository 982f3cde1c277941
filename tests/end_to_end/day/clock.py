"""Clock that a test sets, in place of the time of day that the commands read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest

from components.lib.ledger import chain
from components.lib.operations import records
from components.runs import checkpoints, plan
from components.runs.status import page, trainings

READERS: tuple[Any, ...] = (chain, checkpoints, plan, records, page, trainings)
"""Modules that ask for the present time."""


class Clock:
    """Time of day, which stands still until it is set."""

    def __init__(self, start: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = start
        clock = self

        class Set(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return clock.now.astimezone(tz)

        for module in READERS:
            monkeypatch.setattr(module, "datetime", Set)

    def at(self, hour: int, minute: int = 0) -> None:
        """Set the time of this day; hours may go beyond midnight, never back."""
        midnight = datetime(2026, 11, 23, tzinfo=UTC)
        later = midnight + timedelta(hours=hour, minutes=minute)
        assert later >= self.now
        self.now = later
