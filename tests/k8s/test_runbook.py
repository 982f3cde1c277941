"""The guide has a line for every notice that is sent, every Secret, and what the person on duty does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from components.contract.notices import AWAITS_APPROVAL, BARRED
from tests.k8s.manifests import ROOT, kubectl, rendered, settings

GUIDE = (ROOT / "k8s/README.md").read_text()
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


def secrets_of_the_guide() -> dict[str, str]:
    """Names of the Secrets, and the cell with the keys of each; ``-b`` after ``x-a`` stands for ``x-b``."""
    table = GUIDE.partition("| namespace | Secret | keys |")[2].partition("\n\n")[0]
    found: dict[str, str] = {}
    for line in table.splitlines()[2:]:
        _, _, names, keys, _ = line.split("|")
        first, *others = re.findall(r"`([a-z0-9-]+)`", names)
        stem = first.rpartition("-")[0]
        found |= {name if not name.startswith("-") else stem + name: keys for name in (first, *others)}
    return found


def secrets_of(value: Any) -> Iterator[tuple[str, str]]:
    """Name and key of every reference to a Secret in a manifest; no key where all are taken."""
    if isinstance(value, dict):
        for field, inner in value.items():
            if field in {"secretKeyRef", "secretRef"}:
                yield inner["name"], inner.get("key", "")
            elif field == "secretName":
                yield inner, ""
            else:
                yield from secrets_of(inner)
    if isinstance(value, list):
        for inner in value:
            yield from secrets_of(inner)


@pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed: no overlay can be rendered")
@pytest.mark.parametrize("overlay", ["cloud", "lab"])
def test_every_secret_has_a_line(overlay: str) -> None:
    listed = secrets_of_the_guide()
    wanted = set(secrets_of(rendered(overlay)))
    wanted |= {(name, "") for names in settings(overlay)["kubernetes"]["secrets"].values() for name in names}
    assert ("stormsight-mlflow-accounts", "csrf-key") in wanted
    missing = {
        (name, key) for name, key in wanted if name not in listed or (key and f"`{key}`" not in listed[name])
    }
    assert missing == set()
