"""Requests to stop: a training step is finished and checkpointed first."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_WATCHED = (signal.SIGTERM, signal.SIGINT)


class Interruption:
    """Context that records SIGTERM and SIGINT instead of dying from them; a second one is not waited for.

    Outside the main thread Python cannot watch signals, and this does nothing.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._previous = {watched: signal.signal(watched, self._note) for watched in _WATCHED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watched, handler in self._previous.items():
            signal.signal(watched, handler)

    def leave(self) -> None:
        """Leave the process as the signal would have: KeyboardInterrupt after SIGINT, 143 otherwise.

        A process that stops because another one was asked to leaves with 143 as well.
        """
        if self.received is signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + signal.SIGTERM)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self.leave()
        self.received = signal.Signals(number)
