"""Files published whole or not at all, checksums, and free disk space."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.contract.errors import MissingInputError, ResourceError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}


@contextmanager
def writing_to(
    folder: Path, *, next_step: str = "free some space, or check the permissions, then run the command again"
) -> Iterator[None]:
    """Turn the errors of a disk that is full, read-only or closed to us into a :class:`ResourceError`.

    Args:
        folder: Folder that the block writes into, for the message.
        next_step: Advice of the message.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL and not (error.errno in _UNWRITABLE and _concerns(error, folder)):
            raise
        where = folder if _concerns(error, folder) else Path(os.fsdecode(error.filename)).parent
        raise ResourceError(f"{where} cannot be written: {error.strerror}", next_step=next_step) from error


def _concerns(error: OSError, folder: Path) -> bool:
    """Return whether an error is about ``folder``, something in it or a folder above it."""
    if error.filename is None:
        return True
    path, own = Path(os.fsdecode(error.filename)).absolute(), folder.absolute()
    return path.is_relative_to(own) or own.is_relative_to(path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends without an error.

    The temporary file is synced before the rename, so a reader sees the old file or the whole new one.

    Raises:
        ResourceError: If the disk is full or the folder cannot be written.
    """
    with writing_to(path.parent), _atomic_file(path) as temporary:
        yield temporary


@contextmanager
def _atomic_file(path: Path) -> Iterator[Path]:
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
    """Yield a temporary directory beside ``path``; put it in place of ``path`` when the block succeeds.

    Raises:
        ResourceError: If the disk is full or the folder cannot be written.
    """
    with writing_to(path.parent), _atomic_directory(path) as temporary:
        yield temporary


@contextmanager
def _atomic_directory(path: Path) -> Iterator[Path]:
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
