"""Errors about unknown keys that name the nearest valid one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from components.contract.errors import ParameterError


def nearest(key: str, known: Iterable[object]) -> str:
    """Return a half-sentence naming the known key closest to ``key``; empty where none is close."""
    match = get_close_matches(key, [str(name) for name in known], n=1, cutoff=0.5)
    return f"; the nearest valid one is {match[0]!r}" if match else ""


def refuse_unknown(mapping: Mapping[str, object], known: Iterable[str], where: str) -> None:
    """Raise for the first key of ``mapping`` that is not ``known``.

    Args:
        mapping: A part of a configuration file.
        known: Its valid keys.
        where: Name of that part in the message.

    Raises:
        ParameterError: Names ``where``, the key, and the nearest valid one.
    """
    names = list(known)
    for key in mapping:
        if key not in names:
            raise ParameterError(
                f"{where}: unknown key {key!r}{nearest(str(key), names)}",
                next_step=f"rename or remove {key!r}",
            )
