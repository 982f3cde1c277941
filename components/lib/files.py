"""Files and folders published whole or not at all, and JSON of other stages."""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from components.contract.errors import BadDataError, MissingInputError, ParameterError, ResourceError
from components.contract.temporary import make_locked, remove_unlocked
from components.lib.disk import writing_to

_MOST_ATTEMPTS: Final = 20
"""Times that a folder is put in place while other processes put theirs there."""


@contextmanager
def atomic_file(path: Path, *, sweep: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends without an error.

    The temporary file is synced before the rename, so a reader sees the old file or the whole new one.

    Args:
        path: File to write.
        sweep: Remove what killed writes of ``path`` left; it lists the folder, so False where that has
            many files.

    Raises:
        ResourceError: If the disk is full, the folder cannot be written, or ``path`` is a device or a pipe.
    """
    with writing_to(path.parent), _atomic_file(path, sweep=sweep) as temporary:
        yield temporary


@contextmanager
def _atomic_file(path: Path, *, sweep: bool) -> Iterator[Path]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # its parents were to be made: /proc makes none
        raise ResourceError(
            f"{path.parent} cannot be made: {error.strerror}", next_step="name a folder of a disk"
        ) from error
    if path.exists() and not (path.is_file() or path.is_dir()):  # root could put a file in place of /dev/null
        raise ResourceError(f"{path} is a device or a pipe", next_step="name a file")
    if sweep:
        sweep_unfinished(path)
    temporary, held = make_locked(lambda: _new_file(path))
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(held)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory beside ``path``; put it in place of ``path`` when the block succeeds.

    What killed writes of ``path`` left is removed first; one that was killed between its two renames left no
    ``path``, but the former one, which is put back. A link stays a link: what it names is replaced.

    Raises:
        ResourceError: If the disk is full or the folder cannot be written.
    """
    path = path.resolve() if path.is_symlink() else path
    with writing_to(path.parent), _atomic_directory(path) as temporary:
        yield temporary


@contextmanager
def _atomic_directory(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    retired = path.with_name(f".{path.name}.retired")
    if retired.is_dir() and not path.exists():
        retired.rename(path)
    sweep_unfinished(path)
    temporary, held = make_locked(lambda: Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)))
    try:
        yield temporary
        temporary.chmod(0o755)
        _put_in_place(temporary, path, retired)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(held)


def _put_in_place(temporary: Path, path: Path, retired: Path) -> None:
    """Replace ``path`` by ``temporary``; where two processes do so at once, the last one stays."""
    for attempt in range(_MOST_ATTEMPTS):
        shutil.rmtree(retired, ignore_errors=True)
        try:
            with suppress(FileNotFoundError):  # new, or another process has just retired it
                path.rename(retired)
            temporary.rename(path)
            break
        except OSError as error:  # another process has just put its own there
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST} or attempt + 1 == _MOST_ATTEMPTS:
                raise
    shutil.rmtree(retired, ignore_errors=True)


def require_replaceable(folder: Path, mark: str, what: str) -> None:
    """Check that a folder that a user named for results, and that is replaced, holds nothing else.

    Args:
        folder: The folder.
        mark: File that each such folder of results holds.
        what: Its content in words, such as "changes".

    Raises:
        ParameterError: If it is neither new nor empty nor one of results.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / mark).is_file() or not any(folder.iterdir()))):
        raise ParameterError(
            f"{folder} holds something else than {what}", next_step="name a new or an empty folder"
        )


def sweep_unfinished(path: Path) -> None:
    """Remove what killed writes of ``path`` left beside it; what a living process writes is locked."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        remove_unlocked(left)


def _new_file(path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


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
        BadDataError: If it is no JSON.
    """
    require_input(path, made_by=made_by)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, IsADirectoryError) as error:
        raise BadDataError(
            f"{path} is no JSON: {_reason(error)}", next_step=f"run `dvc repro --force {made_by}`"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return "it is a folder" if isinstance(error, OSError) else str(error)


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
