"""Hashes of what a decision rests on."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import components
from components.lib.config.loader import SECTIONS, WITHOUT_RESULT, load_section
from components.lib.files import sha256_bytes, sha256_file


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
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob(pattern) if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def code_hash() -> str:
    """Hash over every Python file of the package."""
    return folder_hash(Path(components.__path__[0]), "*.py")
