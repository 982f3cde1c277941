"""The pod parts serve any orchestrator: only ``stormsight_dags.airflow`` knows Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

IMPORT_ALL_BUT_AIRFLOW = """\
import importlib, json, pkgutil, sys
import stormsight_dags
ours = [m.name for m in pkgutil.walk_packages(stormsight_dags.__path__, "stormsight_dags.")
        if not (m.name + ".").startswith("stormsight_dags.airflow.")]
for name in ours:
    importlib.import_module(name)
print(json.dumps({"ours": ours, "all": sorted(sys.modules)}))
"""

EXPECTED = {
    "stormsight_dags.budgets",
    "stormsight_dags.failures",
    "stormsight_dags.kubernetes.classify",
    "stormsight_dags.kubernetes.manifest",
    "stormsight_dags.kubernetes.reader",
    "stormsight_dags.kubernetes.status",
    "stormsight_dags.landing.scan",
    "stormsight_dags.settings.load",
}


def test_nothing_beside_the_airflow_half_imports_airflow(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL_BUT_AIRFLOW],
        env=os.environ | {"PYTHONPATH": f"{repository}{os.pathsep}{repository / 'dags'}"},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert set(found["ours"]) >= EXPECTED
    imported = {name.split(".")[0] for name in found["all"]}
    assert not imported & {"airflow", "torch", "mlflow", "dvc"}
    components = {name for name in found["all"] if name.startswith("components.")}
    assert components
    assert all(name.startswith("components.contract") for name in components)
