"""What is wrong with a file the DAGs are made from, told to the person who can correct it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


class DagConfigurationError(ValueError):
    """``dvc.yaml``, ``params.yaml`` or the deployment file cannot be turned into DAGs.

    Args:
        message: What is wrong, naming the file and the stage or key.
        next_step: What the reader should do now.
    """

    def __init__(self, message: str, *, next_step: str) -> None:
        super().__init__(f"{message}\n  next step: {next_step}")
        self.message = message
        self.next_step = next_step


def nearest(key: str, known: Iterable[str]) -> str:
    """A half-sentence naming the known key closest to ``key``; empty where none is close."""
    match = get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f"; the nearest valid one is {match[0]!r}" if match else ""


def refuse_unknown(mapping: Mapping[str, object], known: Iterable[str], where: str) -> None:
    """Raise for the first key of ``mapping`` that is not ``known``.

    Raises:
        DagConfigurationError: Names ``where``, the key, and the nearest valid one.
    """
    names = list(known)
    for key in mapping:
        if key not in names:
            raise DagConfigurationError(
                f"{where}: unknown key {key!r}{nearest(str(key), names)}",
                next_step=f"rename or remove {key!r}",
            )
