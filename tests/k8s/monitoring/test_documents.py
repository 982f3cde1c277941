"""The on-call page has a line for each alert, and the tables name what the rules have."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from components.contract.failures import FAILURE_CLASSES
from tests.k8s.manifests import ROOT
from tests.k8s.monitoring.queries import DASHBOARDS, FOLDER, alerts, panels

ON_CALL, ALERTS = ((ROOT / "docs/operate" / name).read_text("utf-8") for name in ("on-call.md", "alerts.md"))
ALERT_OF = runpy.run_path(str(FOLDER / "alerts.py"))["alert_of"]
UNITS = {value for name, value in vars(units).items() if name[0].isupper() and isinstance(value, str)}


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_the_runbook_of_an_alert_is_there_once(alert: dict[str, Any]) -> None:
    document, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert document == "docs/operate/on-call.md"
    [line] = [line for line in ON_CALL.splitlines() if f'<a id="{anchor}"></a>' in line]
    assert alert["labels"]["severity"] in line or alert["alert"] == "Watchdog"


def test_the_page_has_no_line_for_an_alert_that_is_gone() -> None:
    anchors = set(re.findall(r'<a id="([\w-]+)"></a>', ON_CALL))
    assert anchors == {alert["annotations"]["runbook"].partition("#")[2] for alert in alerts()}


def test_the_table_of_classes_is_complete() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (Stormsight\w+) \|", ALERTS, re.MULTILINE))
    assert listed == {str(kind): ALERT_OF(kind) for kind in FAILURE_CLASSES if ALERT_OF(kind)}


def test_a_panel_says_what_it_shows_and_when_it_shows_nothing() -> None:
    for dashboard, panel in panels():
        where = f"{dashboard}: {panel['title']}"
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["description"].endswith("."), where
        assert defaults["noValue"].endswith("."), where
        assert defaults["unit"] in UNITS or defaults["unit"].startswith("suffix:"), where
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, where


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_the_types_of_grafana_read_a_dashboard(path: Path) -> None:
    register_default_plugins()
    said = json.loads(path.read_text("utf-8"))
    read = Dashboard.from_json(said)
    drawn = [panel for panel in read.panels or [] if isinstance(panel, Panel)]
    assert len(drawn) == sum(1 for panel in said["panels"] if panel["type"] != "row")
    spots = [(p.grid_pos.x, p.grid_pos.y) for p in drawn if p.grid_pos is not None]
    assert len(spots) == len(set(spots)), "two panels at one place"
    assert all(p.grid_pos.x + p.grid_pos.w <= 24 for p in drawn if p.grid_pos is not None)
