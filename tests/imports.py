"""Modules of ours that a module imports, directly or through others, read off the source."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.conftest import ROOT


@cache
def imported(module: str) -> frozenset[str]:
    """Modules of ``components`` that ``module`` imports, in functions too, but not for types alone."""
    path = source_of(module)
    assert path is not None, f"there is no module {module}"
    names: set[str] = set()
    for node in _run_time_nodes(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found = {name for name in names if name.split(".")[0] == "components" and source_of(name) is not None}
    return frozenset(found | {parent for name in (*found, module) for parent in _parents(name)})


def closure(*modules: str) -> set[str]:
    """``modules`` and all that they import, directly or not."""
    found, pending = set(modules), list(modules)
    while pending:
        new = imported(pending.pop()) - found
        found |= new
        pending += new
    return found


def source_of(module: str) -> Path | None:
    """Source file of a module or package, None if there is none."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]


def _run_time_nodes(tree: ast.AST) -> list[ast.AST]:
    nodes: list[ast.AST] = []
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        nodes.append(node)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending += node.orelse
        else:
            pending += ast.iter_child_nodes(node)
    return nodes
