"""Collection of all findings of a check, so that a reader sees them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from components.contract.errors import ParameterError, ResourceError, StormsightError

_GRAVEST = (ParameterError.exit_code, ResourceError.exit_code)
"""Exit codes that win over others: who corrects the parameters checks the rest anew."""


class Findings:
    """Errors, which keep a run from succeeding, and warnings, which may not.

    Attributes:
        errors: In the order in which they were found.
        warnings: Texts, likewise.
    """

    def __init__(self) -> None:
        self.errors: list[StormsightError] = []
        self.warnings: list[str] = []

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Keep the failure that the block raises, and go on behind the block."""
        try:
            yield
        except StormsightError as error:
            if error.message not in {known.message for known in self.errors}:
                self.errors.append(error)

    @property
    def exit_code(self) -> int:
        """0 without errors; that of the gravest one otherwise."""
        codes = [error.exit_code for error in self.errors]
        return next((code for code in _GRAVEST if code in codes), codes[0] if codes else 0)

    def text(self) -> str:
        """Return all of them, each with its next step."""
        lines = [f"warning: {warning}\n" for warning in self.warnings]
        return "".join([*lines, *(f"error: {error}\n" for error in self.errors)])
