"""Disk that is full, read-only or closed to us: found before the work, or behind what a library raised."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.contract.errors import ResourceError

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
    try:
        with tempfile.TemporaryFile(dir=nearest_existing(folder)) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:  # nothing else can be the matter, be it a file in place of a folder or /proc
        raise ResourceError(
            f"{folder} cannot be written: {error.strerror}",
            next_step="free some space, or check the path and its permissions, then run the command again",
        ) from error
    require_free_space(folder, needed_bytes)
