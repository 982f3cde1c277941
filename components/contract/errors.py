"""Failures a user or an operator can act on, each with the exit code its class owns.

The codes follow ``sysexits.h`` so that an orchestrator can tell the classes apart without reading text:
bad data and gate refusals are never worth a retry, an unavailable source usually is.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar


class StormsightError(Exception):
    """Base of all expected failures.

    Args:
        message: What is wrong, naming the tile, strip, stage or parameter.
        next_step: What the reader should do now.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __reduce__(self) -> tuple[object, ...]:
        """How worker processes hand the failure back: the keyword-only argument needs naming."""
        return partial(type(self), next_step=self.next_step), (self.message,)

    def __str__(self) -> str:
        return f"{self.message}\n  next step: {self.next_step}"


class BadDataError(StormsightError):
    """Input data break a rule (``EX_DATAERR``): another attempt will fail the same way."""

    exit_code = 65


class MissingInputError(StormsightError):
    """A file that an earlier stage should have left is absent (``EX_NOINPUT``)."""

    exit_code = 66


class SourceUnavailableError(StormsightError):
    """A remote source did not answer or broke off for good (``EX_UNAVAILABLE``): worth a retry."""

    exit_code = 69


class ResourceError(StormsightError):
    """The machine lacks what was asked for: disk, GPU, memory (``EX_OSERR``)."""

    exit_code = 71


class GateRefusedError(StormsightError):
    """A model or a data set did not pass a gate (``EX_NOPERM``): never retried."""

    exit_code = 77


class ParameterError(StormsightError):
    """``params.yaml``, a catalogue entry or a command line is wrong (``EX_CONFIG``)."""

    exit_code = 78
