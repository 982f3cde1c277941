"""Page of all sections, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from textwrap import wrap

from components.contract.errors import SourceUnavailableError
from components.contract.keys import CHAMPIONS, OPERATIONS, REJECTED, WORK
from components.lib.foreign import one_line
from components.runs.environment import Environment
from components.runs.status.champions import find_approvals, find_champions
from components.runs.status.findings import Finding, Section, attempt
from components.runs.status.last_run import find_cost, find_pages, find_quarantine
from components.runs.status.sources import Sources
from components.runs.status.trainings import find_deliveries, find_next

_SECTIONS: tuple[tuple[str, str, Callable[[Sources], list[Finding]]], ...] = (
    ("Champions", CHAMPIONS, find_champions),
    ("Waits for a person", CHAMPIONS, find_approvals),
    ("Next training", OPERATIONS, find_next),
    ("Deliveries", REJECTED, find_deliveries),
    ("Last run and its cost", OPERATIONS, find_cost),
    ("Quarantined tiles", WORK, find_quarantine),
    ("Report and map", WORK, find_pages),
)


def read_status(environment: Environment) -> list[Section]:
    """Return all sections; each source that cannot be read is a finding.

    Raises:
        SourceUnavailableError: If nothing could be read.
    """
    sources = Sources(environment)
    sections = [Section(title, attempt(source, partial(find, sources))) for title, source, find in _SECTIONS]
    findings = [finding for section in sections for finding in section.findings]
    if not any(finding.read for finding in findings):
        raise SourceUnavailableError(
            f"nothing could be read: {findings[0].source}: {findings[0].text}",
            next_step=findings[0].next_step or "check STORMSIGHT_OBJECTS, and that the store answers",
        )
    return sections


def text_of(sections: list[Section], environment: Environment, width: int | None = None) -> str:
    """Return the sections for people: each finding with its source and, below it, its next step.

    Args:
        sections: What was found.
        environment: Settings of the command.
        width: Columns of the terminal; None leaves a line for each finding, as other programs read it.
    """
    told: set[str] = set()
    lines = [
        f"status at {datetime.now(UTC):%F %R} UTC",
        f"sources are keys in {environment.objects_uri}; remote is {environment.remote}",
    ]
    for section in sections:
        lines += ["", section.title]
        for finding in section.findings:
            again = not finding.read and finding.text in told
            told.add(finding.text)
            text = "could not be read, as above" if again else one_line(finding.text)
            lines += _wrapped(f"{text}  [{finding.source}]", "  ", width)
            if finding.next_step and not again:
                lines += _wrapped(f"next: {one_line(finding.next_step)}", "      ", width)
    return "\n".join(lines)


def _wrapped(text: str, indent: str, width: int | None) -> list[str]:
    """Return the lines of a text; words, keys and commands among them stay whole."""
    if width is None:
        return [f"{indent}{text}"]
    return wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def json_of(sections: list[Section], environment: Environment) -> str:
    """Return the sections as JSON."""
    document = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "objects": environment.objects_uri,
        "remote": environment.remote,
        "sections": [asdict(section) for section in sections],
    }
    return json.dumps(document, indent=2)
