"""Hashes of what a decision rests on."""

from __future__ import annotations

import json
from pathlib import Path

import components
from components.lib.config.loader import SECTIONS, WITHOUT_RESULT, load_section
from components.lib.files import sha256_bytes, sha256_files


def hashes(store: Path) -> dict[str, str]:
    """SHA-256 of the effective parameters, the prepared store and the code."""
    return {"params": params_hash(), "data": folder_hash(store), "code": code_hash()}


def params_hash() -> str:
    """Hash of all sections with the active profile laid over them, as canonical JSON.

    ``tracking`` is left out: where runs are kept changes no result.
    """
    sections = {section: load_section(section) for section in SECTIONS if section not in WITHOUT_RESULT}
    return sha256_bytes(json.dumps(sections, sort_keys=True).encode())


def folder_hash(folder: Path, pattern: str = "*") -> str:
    """Hash over the relative path and content of every file below ``folder``."""
    return sha256_files((path for path in folder.rglob(pattern) if path.is_file()), folder)


def code_hash() -> str:
    """Hash over every Python file of the package."""
    return folder_hash(Path(components.__path__[0]), "*.py")
