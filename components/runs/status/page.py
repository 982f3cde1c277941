"""Page of all sections, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial

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


def text_of(sections: list[Section], environment: Environment) -> str:
    """Return the sections for people: each finding with its source and, below it, its next step."""
    lines = [
        f"status at {datetime.now(UTC):%F %R} UTC",
        f"sources are keys in {environment.objects_uri}; remote is {environment.remote}",
    ]
    for section in sections:
        lines += ["", section.title]
        for finding in section.findings:
            lines.append(f"  {one_line(finding.text)}  [{finding.source}]")
            lines += [f"      next: {one_line(finding.next_step)}"] if finding.next_step else []
    return "\n".join(lines)


def json_of(sections: list[Section], environment: Environment) -> str:
    """Return the sections as JSON."""
    document = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "objects": environment.objects_uri,
        "remote": environment.remote,
        "sections": [asdict(section) for section in sections],
    }
    return json.dumps(document, indent=2)
