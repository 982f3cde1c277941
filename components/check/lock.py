"""Upkeep of ``params.lock``, from which DVC resolves the graph, and of the outputs that follow from it."""

from __future__ import annotations

import shutil
from pathlib import Path

from components.contract.documents import read_yaml
from components.contract.errors import ParameterError
from components.contract.graph.lock import render_lock
from components.contract.parameters import PARAMS_LOCK, read_sections
from components.contract.partitions import partition_names
from components.lib.disk import writing_to
from components.lib.files import write_text

PARTITIONED = ("data/raw", "data/features", "data/prepared/tables", "data/prepared/layers")
"""Folders that have one folder for each partition, which a stage of its own makes."""


def renew_lock(root: Path) -> bool:
    """Render ``params.lock`` of the active profile, and write it if it is another one.

    Args:
        root: Folder of ``dvc.yaml`` and ``params.yaml``.

    Returns:
        True if the file was stale, damaged or absent.

    Raises:
        ParameterError: If it cannot be rendered, or is a folder.
        ResourceError: If it cannot be written.
    """
    text = render_lock(root / "dvc.yaml", root / "params.yaml")
    path = root / PARAMS_LOCK
    if path.is_dir():
        raise ParameterError(f"{path} is a folder", next_step="remove it")
    with writing_to(root):
        if path.is_file() and path.read_bytes() == text.encode():
            return False
        write_text(path, text)
    return True


def remove_leftovers(root: Path) -> None:
    """Remove the outputs of partitions that are no more; DVC's cache has them, if they are wanted again.

    DVC leaves the outputs of a stage that the graph has lost where they are, and hashes a dependency such as
    ``data/prepared`` with all that lies in it.

    Args:
        root: Folder of ``params.yaml``.
    """
    names = partition_names(read_sections(root / "params.yaml"))
    found = [path for kind in PARTITIONED for path in (root / kind).glob("p[0-9][0-9]")]
    for path in found:
        if path.name not in names:
            shutil.rmtree(path, ignore_errors=True)


def renewed(root: Path) -> ParameterError:
    """Return the error for a command that began with a stale lock."""
    profile = read_yaml(root / "params.yaml")["profile"]
    return ParameterError(
        f"{PARAMS_LOCK} was rendered anew for profile {profile}: DVC began with the graph of another one",
        next_step="run the command again",
    )
