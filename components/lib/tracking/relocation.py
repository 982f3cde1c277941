"""Artefacts of a local store found again after the project's folder was moved.

MLflow keeps absolute addresses of artefacts in its database: of the experiment, of each run and of each model
version. After a move they point to where the project was before.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

_LOG = logging.getLogger(__name__)

_ADDRESSES = MappingProxyType(
    {
        "experiments": ("artifact_location",),
        "runs": ("artifact_uri",),
        "logged_models": ("artifact_location",),
        "model_versions": ("source", "storage_location"),
    }
)
"""Columns with addresses, by table."""


def has_moved(old: Path, new: Path) -> bool:
    """Return whether the artefacts of a local store are to be looked for in ``new`` instead of ``old``.

    Args:
        old: Folder that the database names.
        new: Folder that the parameters name.
    """
    return old != new and not old.exists() and (new.is_dir() or not old.parent.exists())


def relocate(database: Path, old: str, new: str) -> None:
    """Let all addresses in MLflow's SQLite file that begin with ``old`` begin with ``new``.

    Args:
        database: The file.
        old: URI of the former folder, without a slash at its end.
        new: URI of the present one.
    """
    _LOG.warning("the project was moved: MLflow's artefacts are looked for at %s instead of %s", new, old)
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        for table, columns in _ADDRESSES.items():
            for column in columns:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "  # noqa: S608 - our own names
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
                )
