"""Findings: facts with the source that says so and the next step, and the seam that reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from components.contract.errors import StormsightError
from components.lib.operations.state import Claim

LISTED = 5
"""Items of a long list that are shown; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact.

    Attributes:
        text: The fact in words.
        source: Place that says so: key or prefix in the object store, ``remote: ...``, ``MLflow at ...``.
        next_step: Action for the reader; empty where none is needed.
        read: False if the source could not be read; the text then says why.
    """

    text: str
    source: str
    next_step: str = ""
    read: bool = True


@dataclass(frozen=True, slots=True)
class Section:
    """Findings that answer one question.

    Attributes:
        title: The question's subject.
        findings: In the order in which they are shown.
    """

    title: str
    findings: list[Finding] = field(default_factory=list)


def attempt(source: str, find: Callable[[], Sequence[Finding]]) -> list[Finding]:
    """Return what ``find`` finds; where the source cannot be read, a finding that says so.

    Args:
        source: Place that ``find`` reads.
        find: Function that reads it. Its expected failures become findings; a defect is raised.
    """
    try:
        return list(find())
    except StormsightError as error:
        return [unread(source, error)]


def unread(source: str, error: StormsightError) -> Finding:
    """Return the finding that a source could not be read."""
    return Finding(f"could not be read: {error.message}", source, error.next_step, read=False)


def listed(names: Sequence[str], *, none: str = "none") -> str:
    """Return the first names and the number of the others.

    >>> listed(["a", "b"]), listed([]), listed([str(n) for n in range(7)])
    ('a, b', 'none', '0, 1, 2, 3, 4 and 2 more')
    """
    if not names:
        return none
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def run_of(claim: Claim) -> str:
    """Return the run of a claim in words, with the acquisitions if a person has chosen them."""
    chosen = sorted(claim.claimed.acquisitions or ()) if claim.claimed.chosen else []
    return f"run {claim.run}" + (f" of chosen acquisitions ({listed(chosen)})" if chosen else "")
