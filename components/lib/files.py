"""Files published whole or not at all, checksums, and free disk space."""

from __future__ import annotations

import errno
import fcntl
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components.contract.errors import BadDataError, MissingInputError, ResourceError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_MACHINE = _FULL | _DENIED
"""Error numbers that a full or read-only disk or missing rights give, whatever was being done."""
_UNWRITABLE = _DENIED | {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
"""Those that are a matter of the disk only when they are about the folder that is written."""


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
def atomic_file(path: Path, *, sweep: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there when the block ends without an error.

    The temporary file is synced before the rename, so a reader sees the old file or the whole new one.

    Args:
        path: File to write.
        sweep: Remove what killed writes of ``path`` left; it lists the folder, so False where that has
            many files.

    Raises:
        ResourceError: If the disk is full or the folder cannot be written.
    """
    with writing_to(path.parent), _atomic_file(path, sweep=sweep) as temporary:
        yield temporary


@contextmanager
def _atomic_file(path: Path, *, sweep: bool) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
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
    ``path``, but the former one, which is put back.

    Raises:
        ResourceError: If the disk is full or the folder cannot be written.
    """
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
        shutil.rmtree(retired, ignore_errors=True)
        if path.exists():
            path.rename(retired)
        temporary.rename(path)
        shutil.rmtree(retired, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(held)


def sweep_unfinished(path: Path) -> None:
    """Remove what killed writes of ``path`` left beside it; what a living process writes is locked."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*"):
        remove_unlocked(left)


def remove_unlocked(path: Path) -> None:
    """Remove a file or folder unless a living process holds its lock; failures are ignored."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(descriptor)


def _new_file(path: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    return Path(name)


def make_locked(make: Callable[[], Path]) -> tuple[Path, int]:
    """Make a temporary file or folder and lock it, so that :func:`remove_unlocked` leaves it alone.

    Args:
        make: Function that makes it, under a new name at each call.

    Returns:
        Its path, and the descriptor that holds the lock until it is closed.
    """
    while True:
        path = make()
        descriptor = os.open(path, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks: nothing is swept there
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if path.exists():
            return path, descriptor
        os.close(descriptor)  # swept before it was locked


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


def nearest_existing(path: Path) -> Path:
    """Return ``path`` if it exists, or else the nearest folder above it that does."""
    return next(place for place in (path, *path.absolute().parents) if place.exists())


def require_free_space(folder: Path, needed_bytes: int) -> None:
    """Check, before the first byte is written, that ``folder``'s disk can take ``needed_bytes``.

    Raises:
        ResourceError: If it cannot.
    """
    free = shutil.disk_usage(nearest_existing(folder)).free
    if free < needed_bytes:
        raise ResourceError(
            f"{folder}: {needed_bytes / 1e9:.2f} GB are needed, {free / 1e9:.2f} GB are free",
            next_step="free some space or point the output at a larger disk",
        )


def resource_failure(error: BaseException) -> ResourceError | None:
    """Return the failure of the machine behind an error: a full or read-only disk, a file that is not ours.

    Libraries wrap what the operating system said (safetensors, PyTorch, pyarrow), so causes and texts are
    searched as well. None if it was something else.
    """
    seen: BaseException | None = error
    while seen is not None:
        number = seen.errno if isinstance(seen, OSError) else None
        texts = [os.strerror(code) for code in _MACHINE if os.strerror(code) in str(seen)]
        if number in _MACHINE or texts:
            reason = os.strerror(number) if number in _MACHINE and number is not None else texts[0]
            name = seen.filename if isinstance(seen, OSError) else None
            return ResourceError(
                f"{name or 'a file'} cannot be read or written: {reason}",
                next_step="check free space, permissions and whether the file system is read-only",
            )
        seen = seen.__cause__ or seen.__context__
    return None


def require_writable(folder: Path, needed_bytes: int = 0) -> None:
    """Check, before the work whose results go there, that ``folder`` can be written and has space.

    Args:
        folder: Folder of results; it, or its nearest parent, is probed with a file.
        needed_bytes: Space that the results will take.

    Raises:
        ResourceError: If it cannot be written, or the disk is too full.
    """
    with writing_to(folder), tempfile.TemporaryFile(dir=nearest_existing(folder)) as probe:
        probe.write(b"\0" * 4096)
        probe.flush()
    require_free_space(folder, needed_bytes)
