"""Code that the pixels and footprints of a map depend on, and its hash.

It is what the mapping path imports, so nothing is listed that a change could forget: another module that it
comes to import counts from then on, and code of trainings, of the registry or of change detection does not.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from components.contract.hashing import sha256_files
from components.lib.methods.registry import method_names
from components.lib.sources import ROOT, closure, imported, parsed, source_of

PATH = ("components.predict.mapping", "components.predict.looks", "components.lib.nets.bundle")
"""Modules that a map is made by: blocks and outputs, scenes, the network from its files."""

BESIDE = ("components.predict.outputs.folder", "components.predict.scenes.remote")
"""Imports of these that change no pixel and no footprint: what shows a map (item, page, picture, tiles), and
what fetches the files whose hashes are in the map's id."""

_FACTORY = "components.lib.nets.factory"
_METHODS = "components.lib.methods"
_PARTS = ("components.lib.nets.", "components.lib.architectures.")
"""Packages that networks are built of: the rest of what a method imports is for its training."""


@cache
def mapping_modules() -> frozenset[str]:
    """Return the names of all modules that pixels and footprints depend on."""
    own = _own_networks()
    parts = {part for module in own for part in imported(module) if part.startswith(_PARTS)}
    return frozenset(closure(*PATH, *_shared_networks(), *parts, without=BESIDE) | own)


@cache
def mapping_code() -> str:
    """Return the SHA-256 of the files of :func:`mapping_modules`, by names and contents."""
    return sha256_files(code_files(), ROOT)


def code_files() -> list[Path]:
    """Return the files of :func:`mapping_modules`."""
    return [path for module in sorted(mapping_modules()) if (path := source_of(module)) is not None]


def _shared_networks() -> list[str]:
    """Return the modules of networks that the factory imports by their names."""
    strings = (node.value for node in ast.walk(parsed(_FACTORY)) if isinstance(node, ast.Constant))
    return [text for text in strings if isinstance(text, str) and _is_module(text)]


def _own_networks() -> set[str]:
    """Return the modules of methods that define a network of their own."""
    return {module for name in method_names() if _declares_network(module := f"{_METHODS}.{name}")}


def _is_module(text: str) -> bool:
    return text.startswith("components.") and text.isascii() and source_of(text) is not None


def _declares_network(module: str) -> bool:
    """Return whether a class of the module sets the attribute ``network``, as methods with their own do."""
    classes = (node for node in ast.walk(parsed(module)) if isinstance(node, ast.ClassDef))
    statements = (line for found in classes for line in found.body)
    return any(
        isinstance(target, ast.Name) and target.id == "network"
        for line in statements
        for target in _targets(line)
    )


def _targets(line: ast.stmt) -> list[ast.expr]:
    if isinstance(line, ast.Assign):
        return line.targets
    return [line.target] if isinstance(line, ast.AnnAssign) else []
