"""The guide has a line for every notice that is sent, and for every command of the person on duty."""

from __future__ import annotations

import re

from components.contract.notices import AWAITS_APPROVAL, BARRED
from tests.k8s.manifests import ROOT

NOTICES, BACKUPS = ((ROOT / "docs/operate" / name).read_text() for name in ("notices.md", "backups.md"))
_EVENT = re.compile(
    r'(?:champion_notice\(\s*|_tell\(|_about\(instance, |_about\(self\._instance, |"event": )"([a-z ]+)"'
)
SOURCES = [*(ROOT / "dags").rglob("*.py"), *(ROOT / "components").rglob("*.py")]


def events() -> set[str]:
    """Events that the code names where it sends notices."""
    found = {event for path in SOURCES for event in _EVENT.findall(path.read_text())}
    return {*found, BARRED, AWAITS_APPROVAL, "refused"}


def test_the_events_are_found() -> None:
    assert {"failed", "retried", "stalling", "promoted", "rolled back", "deadline missed"} <= events()


def test_every_event_has_a_line() -> None:
    rows = [line.split("|")[1] for line in NOTICES.splitlines() if line.startswith("| ")]
    listed = {event for row in rows for event in re.findall(r"`([a-z ]+)`", row)}
    assert events() - listed == set()


def test_a_registry_older_than_the_ledger_has_its_entry() -> None:
    told = (ROOT / "components/lib/registry/agreement.py").read_text()
    assert "goes on after" in told
    assert 'the ledger "goes on after"' in " ".join(BACKUPS.split())
