"""Repetition of failed requests, with growing pauses, before its source counts as unavailable."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from components.contract.errors import SourceUnavailableError
from components.download.sources.base import TransientError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0

T = TypeVar("T")


def pause_s(attempt: int) -> float:
    """Draw a full-jitter exponential back-off: uniform up to 0.5, 1, 2, ... and at most 30 seconds.

    Jitter spreads the parallel requests that one overloaded moment turned away together.
    """
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt))  # noqa: S311 - no secret


@dataclass(frozen=True)
class Retrying:
    """Calls again after :class:`TransientError`.

    Attributes:
        attempts: Tries in all.
        stop: Event after which no further try is made and pauses end at once.
    """

    attempts: int
    stop: threading.Event = field(default_factory=threading.Event)

    def call(self, name: str, request: Callable[[], T]) -> T:
        """Return ``request()``, tried up to ``attempts`` times.

        Raises:
            SourceUnavailableError: If every try failed, naming ``name`` and the last failure.
        """
        last: TransientError | None = None
        for attempt in range(self.attempts):
            try:
                return request()
            except TransientError as error:
                last = error
            if attempt + 1 < self.attempts and self.stop.wait(pause_s(attempt)):
                break
        raise SourceUnavailableError(
            f"{name}: given up after {self.attempts} tries ({last})",
            next_step="run the command again later: what has arrived is kept",
        ) from last
