"""The official chart takes our values: rendered by Helm, which holds them to the chart's own schema.

Neither comes from a package registry: this runs where ``helm`` is on the path and ``AIRFLOW_CHART`` names the
chart's file or folder (``helm pull apache-airflow/airflow --version 1.22.0``).
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import yaml

from tests.k8s import policies
from tests.k8s.manifests import OVERLAYS, ROOT, Manifest

CHART = os.environ.get("AIRFLOW_CHART", "")

pytestmark = pytest.mark.skipif(
    not (CHART and shutil.which("helm")), reason="no helm, or AIRFLOW_CHART does not name the chart"
)


def templates(overlay: str) -> list[Manifest]:
    values = [ROOT / "k8s/airflow/values.yaml", ROOT / "k8s/overlays" / overlay / "airflow.yaml"]
    done = subprocess.run(
        ["helm", "template", "airflow", CHART, "--namespace", "stormsight-services"]
        + [word for path in values for word in ("--values", str(path))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_chart_takes_the_values(overlay: str) -> None:
    assert {"Deployment", "StatefulSet"} & {document["kind"] for document in templates(overlay)}


@pytest.mark.parametrize(
    "policy", [*policies.POD_POLICIES, policies.no_broad_rights], ids=lambda p: p.__name__
)
def test_what_it_makes_obeys(policy: policies.Policy) -> None:
    assert policy(templates("cloud")) == []
