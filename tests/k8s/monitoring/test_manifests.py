"""The watch as an option of an overlay: ConfigMaps that sidecars pick up, objects of Prometheus' operator."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.k8s.manifests import OVERLAYS, Manifest, find, kubectl, rendered
from tests.k8s.monitoring.queries import DASHBOARDS, FOLDER, RULES

pytestmark = pytest.mark.skipif(
    kubectl() is None, reason="kubectl is not installed: no overlay can be rendered"
)
LARGEST = 1 << 20
"""Bytes that a ConfigMap may hold."""


def option(folder: Path, *components: Path) -> list[Manifest]:
    """Return the objects of an overlay of components alone."""
    words = [os.path.relpath(component, folder) for component in components]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"kind": "Kustomization", "components": words}))
    program = kubectl()
    assert program is not None
    done = subprocess.run([program, "kustomize", str(folder)], check=True, capture_output=True, text=True)
    return [one for one in yaml.safe_load_all(done.stdout) if one]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_rules_arrive_unchanged(overlay: str) -> None:
    data = find(rendered(overlay), "ConfigMap", "stormsight-rules")["data"]
    assert data == {path.name: path.read_text("utf-8") for path in RULES}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_dashboard_is_one_that_the_sidecar_picks_up(overlay: str) -> None:
    objects = [
        m for m in rendered(overlay) if m["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    ]
    found = {name: text for one in objects for name, text in one["data"].items()}
    assert {m["kind"] for m in objects} == {"ConfigMap"}
    assert found == {path.name: path.read_text("utf-8") for path in DASHBOARDS}
    assert all(len(text.encode()) < LARGEST for text in found.values())
    assert len({json.loads(text)["uid"] for text in found.values()}) == len(objects)


def test_the_operator_gets_the_same_rules(tmp_path: Path) -> None:
    objects = option(tmp_path, FOLDER, FOLDER / "operator")
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    assert find(objects, "PrometheusRule", "stormsight")["spec"]["groups"] == groups
    for name in ("stormsight-exporter", "airflow-metrics"):
        monitor = find(objects, "ServiceMonitor", name)["spec"]
        assert [end["port"] for end in monitor["endpoints"]] == ["metrics"]
    labels = find(objects, "Service", "airflow-metrics")["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.skipif(not (FOLDER / "exporter.yaml").exists(), reason="the exporter's manifest is not there")
def test_the_monitor_selects_the_exporter() -> None:
    objects = [one for one in yaml.safe_load_all((FOLDER / "exporter.yaml").read_text()) if one]
    monitors = list(yaml.safe_load_all((FOLDER / "operator/monitor.yaml").read_text()))
    monitor = find(monitors, "ServiceMonitor", "stormsight-exporter")["spec"]
    [service] = [one for one in objects if one["kind"] == "Service"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {end["port"] for end in monitor["endpoints"]} <= {
        port["name"] for port in service["spec"]["ports"]
    }
    assert "exporter.yaml" in yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]
