"""Files of a folder that comes from outside: found without following links out of it, read up to a size."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from components.contract.errors import BadDataError, MissingInputError
from components.contract.keys import is_key
from components.lib.foreign import one_line

MOST_FILES = 1_000_000


def files_of_folder(folder: Path, leave_out: Callable[[str, str], None]) -> dict[str, Path]:
    """Return the regular files below a folder by their relative paths, sorted.

    Args:
        folder: The folder; its subfolders are searched, links to folders are not.
        leave_out: Told the path and the reason of what is left out: links that lead out of the folder, names
            that are no ordinary text, and what is no regular file.

    Raises:
        BadDataError: If there are more files than any release has.
    """
    root = folder.resolve()
    found: dict[str, Path] = {}
    for path in _walk(root):
        key = path.relative_to(root).as_posix()
        if not is_key(key):
            leave_out(key, "its name holds control characters, or is no text")
        elif not path.resolve().is_relative_to(root):
            leave_out(key, "it is a link out of its folder")
        elif not path.is_file():
            leave_out(key, "it is no regular file")
        else:
            found[key] = path
        if len(found) > MOST_FILES:
            raise BadDataError(
                f"{one_line(folder)} holds more than {MOST_FILES:,} files",
                next_step="point at the folder of one release",
            )
    return dict(sorted(found.items()))


def read_bounded(path: Path, name: str, most_bytes: int, *, next_step: str) -> bytes:
    """Return the bytes of a file.

    Args:
        path: The file.
        name: Its name, for messages.
        most_bytes: Largest size that is read.
        next_step: Advice where it is larger.

    Raises:
        BadDataError: If it is larger.
        MissingInputError: If it cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise BadDataError(
                f"{name} has {size:,} bytes, beyond the limit of {most_bytes:,}", next_step=next_step
            )
        return path.read_bytes()
    except OSError as error:
        raise MissingInputError(
            f"{name} cannot be read: {error.strerror}", next_step="check the file and its permissions"
        ) from error


def _walk(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(set(folders) - set(links))
        yield from (here / name for name in sorted([*names, *links]))
