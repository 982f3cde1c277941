"""``dvc.yaml`` names all code that a stage runs, and none that it does not."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from types import ModuleType

import pytest

from components.contract.graph.load import load_graph, load_stage
from components.contract.graph.model import contains
from components.lib.methods.registry import CONTROL, method_names
from components.lib.nets.factory import SHARED_KINDS
from components.lib.sources import closure, source_of
from tests.conftest import ROOT

FILES = (ROOT / "dvc.yaml", ROOT / "params.yaml")
GRAPH = load_graph(*FILES)
ENTRY = "__main__"


def module_of(name: str) -> ModuleType:
    """Return the module that declares the method ``name``; a folder does so in its module ``method``."""
    found = import_module(f"components.lib.methods.{name}")
    return import_module(f"{found.__name__}.method") if hasattr(found, "__path__") else found


def declared_in(module: str) -> list[str]:
    """Addresses at which a module of ``lib/methods`` can be trained: as a method, as a teacher."""
    found = module_of(module)
    method = "control" if module == CONTROL else f"distill@{module}"
    return [
        address
        for name, address in (
            ("METHOD", method),
            ("TEACHER", f"optical@{module}"),
            ("CHANGE", f"change@{module}"),
        )
        if hasattr(found, name)
    ]


OFF = (
    "pairs@simulated",
    "osm@roads",
    "pretrain@deeplabv3plus",
    "evaluate_change@sgsln",
    "promote_change@sgsln",
)
"""Stages of loops whose lists are empty in the committed parameters."""

ADDRESSES = sorted({*GRAPH.addresses, *OFF, *(a for module in method_names() for a in declared_in(module))})
"""Every stage, with all methods and teachers that could be configured."""


def modules_of(address: str) -> set[str]:
    """Modules that the stage may run: those of its command, and those found by name.

    A training finds its method and that method's network, any other stage that loads models the shared
    networks. The network of a method's own is in the method's module, whose code the model's file names: a
    changed module makes another model, which every stage that loads it depends on.
    """
    words = load_stage(*FILES, address).cmd[0].split()
    found = closure(f"{words[2]}.{ENTRY}")
    method = next((word for word in words[3:] if word in method_names()), None)
    if method is not None:
        module = module_of(method)
        if hasattr(module, "CHANGE"):
            return found | closure(module.__name__)
        declared = getattr(module, "METHOD" if "--method" in words else "TEACHER")
        kinds = {declared.kind, getattr(declared, "teacher", None)} & SHARED_KINDS.keys()
        return found | closure(module.__name__, *(SHARED_KINDS[kind][0] for kind in kinds))
    if "components.lib.nets.factory" in found:
        return found | closure(*(network for network, _ in SHARED_KINDS.values()))
    return found


def code_of(address: str) -> list[str]:
    return [dep for dep in load_stage(*FILES, address).deps if dep.startswith("components/")]


def path_of(module: str) -> str:
    path = source_of(module)
    assert path is not None
    return path.relative_to(ROOT).as_posix()


def without_code(module: str) -> bool:
    """Return True if a module is a package's ``__init__`` with nothing but a docstring."""
    return path_of(module).endswith("__init__.py")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_stage_depends_on_every_module_that_it_imports(address: str) -> None:
    declared = code_of(address)
    missing = {
        path_of(module)
        for module in modules_of(address)
        if not without_code(module) and not any(contains(dep, path_of(module)) for dep in declared)
    }
    assert not missing, f"dvc.yaml: {address} imports {sorted(missing)} without depending on them"


@pytest.mark.parametrize("address", [*GRAPH.addresses, *OFF])
def test_a_stage_depends_on_no_code_that_it_does_not_import(address: str) -> None:
    used = {path_of(module) for module in modules_of(address)}
    idle = [dep for dep in code_of(address) if not any(contains(dep, path) for path in used)]
    assert not idle, f"dvc.yaml: {address} depends on {idle} and imports nothing of it"


@pytest.mark.parametrize("address", GRAPH.addresses)
def test_a_fresh_process_imports_nothing_that_the_source_does_not_name(address: str) -> None:
    """Compare the modules that a command loads at its start with those that its source names."""
    module = GRAPH[address].cmd[0].split()[2]
    code = f"import json, sys, {module}.{ENTRY}; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    loaded = {name for name in json.loads(printed) if name.split(".")[0] == "components"}
    assert loaded <= modules_of(address)
