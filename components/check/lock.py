"""Upkeep of ``params.lock``, from which DVC resolves the graph."""

from __future__ import annotations

from pathlib import Path

from components.contract.documents import read_yaml
from components.contract.errors import ParameterError
from components.contract.graph.lock import render_lock
from components.contract.parameters import PARAMS_LOCK
from components.lib.disk import writing_to
from components.lib.files import write_text


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


def renewed(root: Path) -> ParameterError:
    """Return the error for a command that began with a stale lock."""
    profile = read_yaml(root / "params.yaml")["profile"]
    return ParameterError(
        f"{PARAMS_LOCK} was rendered anew for profile {profile}: DVC began with the graph of another one",
        next_step="run the command again",
    )
