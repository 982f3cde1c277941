"""Failures a user or an operator can act on, each with the exit code its class owns.

The codes come from the table in :mod:`components.contract.failures` and follow ``sysexits.h``, so that an
orchestrator can tell the classes apart without reading text: bad data and gate refusals are never worth a
retry, an unavailable source usually is.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from components.contract.failures import FailureKind, exit_code_of


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
        """Return a recipe for pickling that passes the keyword-only ``next_step``, for worker processes."""
        return partial(type(self), next_step=self.next_step), (self.message,)

    def __str__(self) -> str:
        return f"{self.message}\n  next step: {self.next_step}"


class BadDataError(StormsightError):
    """Input data break a rule (``EX_DATAERR``): another attempt will fail the same way."""

    exit_code = exit_code_of(FailureKind.BAD_DATA)


class MissingInputError(StormsightError):
    """A file that an earlier stage should have left is absent (``EX_NOINPUT``)."""

    exit_code = exit_code_of(FailureKind.MISSING_INPUT)


class SourceUnavailableError(StormsightError):
    """A remote source did not answer or broke off for good (``EX_UNAVAILABLE``): worth a retry."""

    exit_code = exit_code_of(FailureKind.SOURCE_UNAVAILABLE)


class ResourceError(StormsightError):
    """The machine lacks what was asked for: disk, GPU, memory (``EX_OSERR``)."""

    exit_code = exit_code_of(FailureKind.RESOURCE)


class GateRefusedError(StormsightError):
    """A model or a data set did not pass a gate (``EX_NOPERM``): never retried."""

    exit_code = exit_code_of(FailureKind.GATE_REFUSED)


class ChampionChangedError(StormsightError):
    """The champion changed while its challenger was judged (``EX_TEMPFAIL``): it is to be judged anew."""

    exit_code = exit_code_of(FailureKind.CHAMPION_CHANGED)


class RedrivesSpentError(StormsightError):
    """A training failed by bad luck as often as it may be started again by the clock."""

    exit_code = exit_code_of(FailureKind.REDRIVES_SPENT)


class ParameterError(StormsightError):
    """``params.yaml``, a catalogue entry or a command line is wrong (``EX_CONFIG``)."""

    exit_code = exit_code_of(FailureKind.MISCONFIGURED)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type's name where it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
