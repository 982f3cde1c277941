"""SHA-256 of files, folders and JSON values, and their one canonical form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SEAL = "sha256"
"""Field of a sealed record that holds the hash of the rest."""


def sha256_bytes(content: bytes) -> str:
    """Return the hex SHA-256 of ``content``."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_files(paths: Iterable[Path], below: Path) -> str:
    """Return the hex SHA-256 of files' contents and names relative to ``below``, in whatever order given."""
    digest = hashlib.sha256()
    for path in sorted(set(paths)):
        digest.update(f"{path.relative_to(below).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def sha256_folder(folder: Path) -> str:
    """Return the hex SHA-256 of the names and contents of all files below ``folder``, byte code left out."""
    return sha256_files(files_below(folder), folder)


def sha256_json(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """Return the hex SHA-256 of ``value`` as canonical JSON."""
    return sha256_bytes(canonical_json(value))


def canonical_json(value: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    """Encode ``value`` as JSON in the one form that hashes are taken of: sorted keys, no blanks, ASCII."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode()


def seal(record: Mapping[str, Any]) -> bytes:
    """Return the record as JSON with the hash of its content; equal records give equal bytes.

    Raises:
        ValueError: If it has the seal's field already.
    """
    if SEAL in record:
        raise ValueError(f"the field {SEAL!r} is the seal's own")
    return canonical_json({**record, SEAL: sha256_json(record)}) + b"\n"


def files_below(path: Path) -> list[Path]:
    """List ``path`` itself, or all files below it, without byte code, which ``.dvcignore`` names, too."""
    if path.is_file():
        return [path]
    found = (file for file in path.rglob("*") if file.is_file())
    return [file for file in found if "__pycache__" not in file.parts and file.suffix != ".pyc"]
