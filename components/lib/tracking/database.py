"""MLflow's SQLite file: built whole or not at all, and checked before MLflow opens it.

MLflow makes its tables step by step in the file itself. A process that is killed meanwhile leaves a file that
every later start fails on, after minutes of attempts. The file is therefore built under a temporary name and
renamed; one that was left half-made and holds nothing is built anew.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from components.contract.errors import BadDataError, ResourceError
from components.lib.disk import nearest_existing
from components.lib.files import atomic_file

_LOG = logging.getLogger(__name__)

_SQLITE = "sqlite:///"

_MAGIC = b"SQLite format 3\0"
"""First bytes of every SQLite file that holds anything."""

_WAIT_S = 30.0
"""Seconds to wait for another process's transaction."""

_VERSION_TABLE = "alembic_version"
"""Table in which MLflow's migrations keep their state."""

_MIGRATIONS = "store/db_migrations/versions/*.py"
_REVISION = re.compile(r"^(revision|down_revision)\s*=\s*(.+?)\s*$", re.MULTILINE)


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite store, None for another store."""
    return Path(uri.removeprefix(_SQLITE).partition("?")[0]) if uri.startswith(_SQLITE) else None


def is_unmade(uri: str) -> bool:
    """Return whether a store is a SQLite file that nothing was written to yet; connecting would make it."""
    path = sqlite_file(uri)
    return path is not None and not path.exists()


def check_database(path: Path) -> bool:
    """Check, without writing, that MLflow's database is whole or can be made.

    Args:
        path: SQLite file of MLflow.

    Returns:
        True if it is whole; False if there is none, or an unfinished beginning.

    Raises:
        BadDataError: If there is something else: a folder, another kind of file, a foreign database.
        ResourceError: If it cannot be read or written.
    """
    path = path.absolute()
    with _machine_errors(path):
        _require_writable(path)
        return _is_whole(path)


def prepare_database(path: Path, build: Callable[[Path], None]) -> None:
    """Leave a whole database at ``path``: the one that is there, or a new one.

    Args:
        path: SQLite file of MLflow.
        build: Function that makes MLflow's tables in a new file.

    Raises:
        BadDataError: If there is something else: a folder, another kind of file, a foreign database.
        ResourceError: If it cannot be read or written.
    """
    path = path.absolute()
    with _machine_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if check_database(path):
            return
        with _locked(path.parent):
            if not _is_whole(path):  # another process may have built it meanwhile
                _build(path, build)


@contextmanager
def _machine_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResourceError(
            f"MLflow's database {path}: {error.strerror or error}",
            next_step="check free space and permissions, or point tracking.uri (MLFLOW_TRACKING_URI) "
            "elsewhere",
        ) from error


def _require_writable(path: Path) -> None:
    """Check what MLflow finds out after minutes only."""
    if path.is_dir():
        raise _not_ours(path, "it is a folder")
    if path.exists() and not path.is_file():
        raise _not_ours(path, "it is no ordinary file")
    # SQLite keeps its journal beside the file.
    for place in {nearest_existing(path), nearest_existing(path.parent)}:
        if place != path and not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{place} is no folder")
        if not os.access(place, os.R_OK | os.W_OK):
            raise ResourceError(
                f"MLflow's database {path}: {place} cannot be written",
                next_step="check its permissions and whether the file system is read-only, or point "
                "tracking.uri (MLFLOW_TRACKING_URI) elsewhere",
            )


def _is_whole(path: Path) -> bool:
    """Return whether MLflow finished its tables; False if there is nothing, or an unfinished beginning.

    Raises:
        BadDataError: If it is no database, damaged, or holds something else.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except FileNotFoundError:
        return False
    if not magic:
        return False
    if magic != _MAGIC:
        raise _not_ours(path, "it is no SQLite database")
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_S)) as database:
            rows = _rows(database)
            versions = _versions(database) if _VERSION_TABLE in rows else []
    except sqlite3.OperationalError as error:
        if "locked" in str(error):  # somebody is at work on it
            return True
        raise _not_ours(path, str(error)) from error
    except sqlite3.DatabaseError as error:
        raise _not_ours(path, f"it is damaged: {error}") from error
    # The default experiment is what MLflow makes last.
    if rows.get("experiments"):
        _require_version(path, versions)
        return True
    if any(number for table, number in rows.items() if table != _VERSION_TABLE):
        raise _not_ours(path, "it holds other tables than MLflow's")
    _LOG.warning("%s was left unfinished by a process that was killed: it is to be built anew", path)
    return False


def _rows(database: sqlite3.Connection) -> dict[str, int]:
    """Return by table whether there are rows: 0 or 1."""
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    quoted = {name: '"' + str(name).replace('"', '""') + '"' for name in names}
    return {
        name: database.execute(f"SELECT EXISTS (SELECT 1 FROM {table})").fetchone()[0]  # noqa: S608 - quoted
        for name, table in quoted.items()
        if not name.startswith("sqlite_")
    }


def _versions(database: sqlite3.Connection) -> list[str]:
    """Return the versions that the migrations noted: one, if all is well."""
    return [str(row[0]) for row in database.execute(f"SELECT version_num FROM {_VERSION_TABLE}")]  # noqa: S608


def _require_version(path: Path, versions: list[str]) -> None:
    """Raise for tables of another version of MLflow, which would refuse them when a run begins."""
    known = _known_versions()
    if not known or versions == [known[0]]:
        return
    found = ", ".join(versions) or "none"
    if len(versions) == 1 and versions[0] in known:
        raise BadDataError(
            f"MLflow's database {path} was made by an older MLflow: its version is {found}, not {known[0]}",
            next_step=f"keep a copy of it, then run `mlflow db upgrade {_SQLITE}{path}`",
        )
    raise _not_ours(path, f"its version is {found}, which the installed MLflow does not know")


@lru_cache(maxsize=1)
def _known_versions() -> tuple[str, ...]:
    """Return the versions that the installed MLflow can migrate, its own first; none without MLflow.

    They are read from the text of its migrations: importing MLflow takes seconds.
    """
    package = find_spec("mlflow")
    if package is None or package.origin is None:
        return ()
    below = {}
    for script in Path(package.origin).parent.glob(_MIGRATIONS):
        lines = dict(_REVISION.findall(script.read_text(encoding="utf-8")))
        if lines.keys() == {"revision", "down_revision"}:
            below[lines["revision"].strip("\"'")] = lines["down_revision"]
    newest = [version for version in below if not any(version in former for former in below.values())]
    return (newest[0], *sorted(below.keys() - {newest[0]})) if len(newest) == 1 else ()


def _build(path: Path, build: Callable[[Path], None]) -> None:
    with atomic_file(path) as temporary:
        build(temporary)
        for left in path.parent.glob(f"{path.name}-*"):  # a journal of the unfinished one
            left.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder, which ends with this process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _not_ours(path: Path, why: str) -> BadDataError:
    return BadDataError(
        f"MLflow's database {path} cannot be used: {why}",
        next_step="restore it from a backup, or move it away: a new one is made then; or point tracking.uri "
        "(MLFLOW_TRACKING_URI) elsewhere",
    )
