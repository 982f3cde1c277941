"""The files that the Containerfile copies into the Airflow image are all that its DAGs import."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.k8s.test_containerfile import RECIPES, build_stages, lineage

ROOT = Path(__file__).parents[2]
SOURCE, TARGET = "/source/", "/orchestrator/"

IMPORT_EVERYTHING = """\
import importlib, importlib.util, json, os, pkgutil, runpy, sys
from pathlib import Path
import components.contract, stormsight_dags
for package in (components.contract, stormsight_dags):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
tasks = {}
for file in sorted(Path(os.environ["DAGS"]).glob("*.py")):
    tasks[file.stem] = [v.task_id for v in runpy.run_path(str(file)).values() if hasattr(v, "task_id")]
ours = {name: str(m.__file__) for name, m in sys.modules.items()
        if name.split(".")[0] in ("components", "stormsight_dags") and getattr(m, "__file__", None)}
stages = ("components.lib", "components.runs", "components.promote")
found = [name for name in stages if importlib.util.find_spec(name)]
print(json.dumps({"tasks": tasks, "ours": ours, "stages": found}))
"""


def copied() -> list[tuple[list[str], str]]:
    """Sources and target of every ``cp`` into the orchestrator's folder."""
    commands = " ".join(rest for name, rest in build_stages(RECIPES[0])["source"].lines if name == "RUN")
    return [
        ([word for word in words[1:-1] if word != "-r"], words[-1])
        for words in (command.split() for command in commands.split("&&"))
        if words[0] == "cp" and words[-1].startswith(TARGET)
    ]


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """The root folder of an Airflow image, as far as it comes from the repository."""
    for sources, target in copied():
        folder = tmp_path / target.removeprefix(TARGET)
        folder.mkdir(parents=True, exist_ok=True)
        for source in (ROOT / name.removeprefix(SOURCE) for name in sources):
            if source.is_dir():
                shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder)
    return tmp_path


def python_path(root: Path) -> str:
    """``PYTHONPATH`` of the image, below ``root``."""
    lines = lineage(build_stages(RECIPES[0]), "airflow")
    values = [m[1] for name, rest in lines if name == "ENV" for m in re.finditer(r"PYTHONPATH=(\S+)", rest)]
    return os.pathsep.join(f"{root}{path}" for path in values[-1].split(":"))


@pytest.mark.parametrize("mode", ["local", "kubernetes"])
def test_the_airflow_image_holds_all_that_its_dags_import(layout: Path, mode: str) -> None:
    work = layout / "work"
    work.mkdir()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("STORMSIGHT", "PYTHON"))}
    environment = {
        **inherited,
        "PYTHONPATH": python_path(layout),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AIRFLOW_HOME": str(work),
        "DAGS": str(layout / "app" / "dags"),
    }
    if mode == "kubernetes":
        environment["STORMSIGHT_DEPLOYMENT"] = str(ROOT / "k8s/overlays/lab/deployment.yaml")
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING],
        env=environment,
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["tasks"]) == {"acquisitions", "dashboard", "housekeeping", "map", "redrive", "retrain"}
    assert all(found["tasks"].values())
    assert found["stages"] == []
    outside = [name for name, file in found["ours"].items() if not file.startswith(str(layout))]
    assert outside == [], "imported from beside the image's files"
    components = {name for name in found["ours"] if name.startswith("components.")}
    assert all(name.startswith("components.contract") for name in components)
