"""The layout's rules, read off the code itself."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
import yaml

from components.lib.sources import imported

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "components").rglob("*.py"))
BUILDINGS = (
    "download", "validate", "prepare", "optical", "distill", "adapt", "evaluate", "report", "promote",
)  # fmt: skip
STAGES = (*BUILDINGS, "pairs", "change", "osm", "pretrain")
SERVICES = ("acquisitions", "runs", "housekeeping", "exporter", "dashboard", "drift")
"""Commands beside the graph: they have the shape of stages, and import lib only, too."""

AROUND = ("experiments", "check")
"""Rooms that may import stages, and that no stage imports: one repeats them, one checks their parameters."""


def imports(path: Path) -> set[str]:
    """Absolute names that ``path`` imports anywhere, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def top(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_module_keeps_the_layers(path: Path) -> None:
    relative = path.relative_to(ROOT / "components")
    names = imports(path)
    stages = {
        s
        for s in (*STAGES, *SERVICES)
        if any(n == f"components.{s}" or n.startswith(f"components.{s}.") for n in names)
    }
    if relative.parts[0] == "lib":
        assert not stages, "lib imports no stage"
    elif relative.parts[0] not in AROUND:
        assert stages <= {relative.parts[0]}, "stages never import each other"
    assert not {"torch", "airflow"} <= top(names)
    # The name of its error may be caught; nothing may be pickled or unpickled.
    assert "pickle" not in top(names) or "pickle.UnpicklingError" in names
    assert len(path.read_text().splitlines()) <= 400


CONTRACT = sorted((ROOT / "components" / "contract").rglob("*.py"))


@pytest.mark.parametrize("path", CONTRACT, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_contract_needs_the_standard_library_and_pyyaml_alone(path: Path) -> None:
    names = imports(path)
    assert top(names) <= {*sys.stdlib_module_names, "yaml", "components"}
    ours = {name for name in names if name.startswith("components.")}
    assert all(f"{name}.".startswith("components.contract.") for name in ours), ours


def test_dags_import_nothing_of_the_components_but_the_contract() -> None:
    paths = list((ROOT / "dags").rglob("*.py"))
    assert paths
    for path in paths:
        ours = {name for name in imports(path) if name.split(".")[0] == "components"}
        assert all(f"{name}.".startswith("components.contract.") for name in ours), path


@pytest.mark.parametrize("concept", ["nets", "losses", "engine", "inference"])
def test_torch_modules_import_nothing_heavy(concept: str) -> None:
    heavy = {"mlflow", "dvc", "great_expectations", "rasterio", "boto3", "airflow"}
    for path in (ROOT / "components" / "lib" / concept).rglob("*.py"):
        assert not top(imports(path)) & heavy, path


@pytest.mark.parametrize("stage", [*STAGES, *SERVICES, *AROUND])
def test_every_stage_has_the_same_shape(stage: str) -> None:
    folder = ROOT / "components" / stage
    assert (folder / "__init__.py").is_file()
    assert (folder / "parameters.py").is_file()
    main = (folder / "__main__.py").read_text()
    assert "components.lib.cli" in main


def graph() -> dict[str, dict[str, object]]:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    bodies = {name: stage.get("do", stage) for name, stage in stages.items()}
    return {name: stage for name, stage in bodies.items() if not stage["meta"].get("local")}


@pytest.mark.parametrize("name", graph())
def test_every_stage_of_the_graph_says_what_it_needs(name: str) -> None:
    stage = graph()[name]
    meta = stage["meta"]
    assert isinstance(meta, dict)
    assert set(meta) == {"image", "cpu", "memory", "gpu", "retry"}
    assert stage["deps"]
    assert stage.get("params") or name == "validate", "measuring holds no limit against anything"
    assert str(stage["cmd"]).split()[2].split(".")[1] in STAGES
    assert stage.get("metrics") or name in {"download", "validate", "prepare", "report"}


@pytest.mark.parametrize("name", graph())
def test_code_dependencies_name_every_lib_concept_in_use(name: str) -> None:
    """A change of code that a stage uses must rerun the stage."""
    stage = graph()[name]
    deps = stage["deps"]
    assert isinstance(deps, list)
    # A loop's code is that of its method.
    own = [d.replace("${item}", "concord") for d in deps if d.startswith("components/")]
    pending = [path for d in own for path in ([ROOT / d] if d.endswith(".py") else (ROOT / d).rglob("*.py"))]
    declared = {"/".join(d.split("/")[:3]).removesuffix(".py") for d in own}
    # Reading parameters, drawing and book-keeping change no result.
    exempt = {"config", "report", "tracking", "cli", "files"}
    if stage["meta"]["retry"] == "train":  # type: ignore[index]
        # Training only measures its finished model with these: a better ruler must not cost a new training.
        exempt |= set() if name == "evaluate" else {"geo", "metrics", "scoring"}
    used: set[str] = set()
    for path in pending:
        used |= {
            n.split(".")[2]
            for n in imported(".".join(path.relative_to(ROOT).with_suffix("").parts))
            if n.startswith("components.lib.") and len(n.split(".")) > 2
        }
    # A single module of a concept may be declared alone.
    missing = {
        c for c in used - exempt if not any(f"{d}/".startswith(f"components/lib/{c}/") for d in declared)
    }
    assert not missing, f"{name} uses {sorted(missing)} without depending on it"
