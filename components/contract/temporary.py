"""Temporary files and folders whose owner holds a lock, so that those of killed processes are told and swept.

The lock ends with its process, however that ends. What is unlocked has no owner any more; process ids, which
are used again, and ages, which a long training exceeds, would say less.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from components.contract.errors import ResourceError

PREFIX = "stormsight-scratch-"
"""Beginning of the names of scratch folders; nothing else in the system's temporary folder is removed."""


@contextmanager
def scratch_folder(purpose: str, parent: Path | None = None) -> Iterator[Path]:
    """Yield a new folder, removed when the block ends; those of all killed processes are removed first.

    Args:
        purpose: Word in the folder's name.
        parent: Folder to make it in; None takes the system's temporary folder.

    Raises:
        ResourceError: If it cannot be made.
    """
    try:
        place = Path(tempfile.gettempdir()) if parent is None else parent
        folder, held = make_owned(place, PREFIX, purpose)
    except OSError as error:
        raise ResourceError(
            f"no temporary folder can be made: {error.strerror or error}",
            next_step="free some space, or point TMPDIR to a folder that can be written",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def make_owned(place: Path, prefix: str, purpose: str) -> tuple[Path, int]:
    """Make a locked folder ``<prefix><purpose>-...`` in ``place``; unlocked ones of the prefix are removed.

    Returns:
        As :func:`make_locked`.

    Raises:
        OSError: If it cannot be made.
    """
    remove_left(place, prefix)
    return make_locked(lambda: Path(tempfile.mkdtemp(prefix=f"{prefix}{purpose}-", dir=place)))


def remove_left(place: Path, prefix: str) -> None:
    """Remove what killed processes left in ``place`` under names that start with ``prefix``."""
    for left in place.glob(f"{prefix}*"):
        remove_unlocked(left)


def make_locked(make: Callable[[], Path]) -> tuple[Path, int]:
    """Make a temporary file or folder and lock it, so that :func:`remove_unlocked` leaves it alone.

    Args:
        make: Function that makes it, under a new name at each call.

    Returns:
        Its path, and the descriptor that holds the lock until it is closed.
    """
    while True:
        path = make()
        with suppress(FileNotFoundError):  # swept before it was opened
            descriptor = os.open(path, os.O_RDONLY)
            with suppress(OSError):  # a file system without locks: nothing is swept there
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists():
                return path, descriptor
            os.close(descriptor)  # swept before it was locked


def remove_unlocked(path: Path) -> None:
    """Remove a file or folder unless a living process holds its lock; failures are ignored."""
    with suppress(OSError):
        # Without O_NONBLOCK a named pipe would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
        finally:
            os.close(descriptor)
