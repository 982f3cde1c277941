"""Files published whole or not at all, checksums, and free disk space."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.contract.errors import MissingInputError, ResourceError


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends without an error.

    The temporary file is synced before the rename, so a reader sees the old file or the whole new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory beside ``path``; put it in place of ``path`` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    retired = path.with_name(f".{path.name}.retired")
    try:
        yield temporary
        temporary.chmod(0o755)
        shutil.rmtree(retired, ignore_errors=True)
        if path.exists():
            path.rename(retired)
        temporary.rename(path)
        shutil.rmtree(retired, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - whatever json can hold
    """Write ``value`` as indented JSON with sorted keys, atomically; NaN is refused, as JSON has none."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: Path, *, made_by: str) -> Any:  # noqa: ANN401 - whatever json can hold
    """Read JSON that the stage ``made_by`` should have left.

    Raises:
        MissingInputError: If the file is absent.
    """
    require_input(path, made_by=made_by)
    return json.loads(path.read_text(encoding="utf-8"))


def require_input(path: Path, *, made_by: str) -> Path:
    """Return ``path`` if it exists.

    Raises:
        MissingInputError: If it does not, naming the stage that makes it.
    """
    if not path.exists():
        raise MissingInputError(
            f"{path} is missing", next_step=f"run `dvc repro {made_by}`, the stage that makes it"
        )
    return path


def require_free_space(folder: Path, needed_bytes: int) -> None:
    """Check, before the first byte is written, that ``folder``'s disk can take ``needed_bytes``.

    Raises:
        ResourceError: If it cannot.
    """
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise ResourceError(
            f"{folder}: {needed_bytes / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free",
            next_step="free some space or point the output at a larger disk",
        )
