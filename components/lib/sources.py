"""Modules of ours that a module imports, directly or through others, read off the source.

Nothing is imported for it: the code of a map or a stage can be named before torch is loaded.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from functools import cache
from pathlib import Path

import components

ROOT = Path(next(iter(components.__path__))).parent
"""Folder that holds ``components``."""


def closure(*modules: str, without: Collection[str] = ()) -> set[str]:
    """Return ``modules`` and all modules of ``components`` that they import, directly or not.

    Args:
        modules: Full names of modules; imports in their functions count, those for types alone do not.
        without: Modules that are left out, and whose imports are not followed.
    """
    found, pending = set(modules), list(modules)
    while pending:
        new = imported(pending.pop()) - found - set(without)
        found |= new
        pending += new
    return found


@cache
def imported(module: str) -> frozenset[str]:
    """Return the modules of ``components`` that ``module`` imports, with the packages that they are in."""
    names: set[str] = set()
    for node in _run_time_nodes(parsed(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found = {name for name in names if name.split(".")[0] == "components" and source_of(name) is not None}
    return frozenset(found | {parent for name in (*found, module) for parent in _parents(name)})


@cache
def parsed(module: str) -> ast.Module:
    """Return the syntax tree of a module.

    Raises:
        ValueError: If there is no such module.
    """
    path = source_of(module)
    if path is None:
        raise ValueError(f"there is no module {module}")
    return ast.parse(path.read_text(encoding="utf-8"))


def source_of(module: str) -> Path | None:
    """Return the source file of a module or package, None if there is none."""
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
