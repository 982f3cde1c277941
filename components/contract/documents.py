"""Configuration files: read strictly and within bounds; errors that name the nearest valid key."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from reprlib import Repr
from typing import Any

from components.contract.errors import ParameterError
from components.contract.strict_yaml import Limits, YamlMistake, parse

SHOWN = 80
"""Characters of a wrong value that a message shows: it may be a megabyte long."""

_LONGEST_NAME = 100
"""Characters of a key beyond which no similar one is looked for: the comparison takes quadratic time."""

_PARAMETERS = Limits()

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = SHOWN


def read_yaml(path: Path, *, plain: bool = True, limits: Limits = _PARAMETERS) -> dict[str, Any]:
    """Return the mapping in ``path``.

    Args:
        path: A file of UTF-8 text, with or without a byte order mark.
        plain: As for :func:`components.contract.strict_yaml.parse`; False for DVC's own files.
        limits: Bounds on it.

    Raises:
        ParameterError: If the file is missing, is a folder, is too large, is not UTF-8 or not YAML, holds
            something else than a mapping, has a key twice or a value that is refused. The text names the
            file, and the line and the key where there are some.
    """
    try:
        document = parse(_decoded(_read(path, limits.size), path), limits, plain=plain)
    except YamlMistake as mistake:
        place = str(path) if mistake.line is None else f"{path}, line {mistake.line}"
        name = f"{mistake.name}: " if mistake.name else ""
        raise ParameterError(
            f"{place}: {name}{shortened(mistake.message, 300)}", next_step=f"correct {place}"
        ) from mistake
    if not isinstance(document, dict):
        raise ParameterError(
            f"{path} must be a mapping ({'it is empty' if document is None else f'got {shown(document)}'})",
            next_step=f"write key: value into {path}",
        )
    return document


def shown(value: object) -> str:
    """Return ``value`` as Python writes it, shortened to about ``SHOWN`` characters."""
    return shortened(_REPR.repr(value))


def shortened(text: str, length: int = SHOWN) -> str:
    """Return ``text``, cut to ``length`` characters if it is longer."""
    return text if len(text) <= length else f"{text[: max(0, length - 4)]} ..."


def nearest(key: str, known: Iterable[object], *, cutoff: float = 0.5) -> str:
    """Return a half-sentence naming the known key closest to ``key``; empty where none is close.

    Args:
        key: What was written.
        known: The valid keys.
        cutoff: Least similarity, 0 to 1.
    """
    if len(key) > _LONGEST_NAME:
        return ""
    names = [str(name) for name in known if len(str(name)) <= _LONGEST_NAME]
    match = get_close_matches(key, names, n=1, cutoff=cutoff)
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
                f"{where}: unknown key {shown(key)}{nearest(str(key), names)}",
                next_step=f"rename or remove {shown(key)}",
            )


def require_mapping(value: object, where: str) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping.

    Args:
        value: A part of a configuration file.
        where: Name of that part in the message.

    Raises:
        ParameterError: Otherwise.
    """
    if isinstance(value, Mapping):
        return value
    empty = "it is empty" if value is None else f"got {shown(value)}"
    raise ParameterError(
        f"{where}: must be a mapping ({empty})", next_step=f"write key: value below {where}, or {{}} for none"
    )


def _read(path: Path, most: int) -> bytes:
    """Return the bytes of a file.

    Raises:
        ParameterError: If there is no file, it cannot be read, or it has more than ``most`` bytes.
    """
    try:
        if path.is_dir():
            raise ParameterError(f"{path} is a folder", next_step=f"put the file {path.name} in its place")
        if path.exists() and not path.is_file():
            raise ParameterError(f"{path} is no regular file", next_step=f"put a file of text at {path}")
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError as error:
        raise ParameterError(
            f"{path} not found",
            next_step="run the command from the root of the repository, or point STORMSIGHT_SOURCE to it",
        ) from error
    except OSError as error:
        reason = error.strerror or os.strerror(error.errno or 0)
        raise ParameterError(
            f"{shortened(str(path), 200)} cannot be read: {reason}",
            next_step="correct its path or its rights",
        ) from error
    if len(content) > most:
        raise ParameterError(
            f"{path} is larger than {most} bytes", next_step="it is no file of parameters: restore it"
        )
    return content


def _decoded(content: bytes, path: Path) -> str:
    """Return the text of a file; a byte order mark at its start is none of the text.

    Raises:
        ParameterError: If it is not UTF-8; names the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        utf16 = content[:2] in {b"\xff\xfe", b"\xfe\xff"}
        said = "it is UTF-16" if utf16 else f"byte 0x{content[error.start]:02x} is not valid there"
        encoding = "UTF-16" if utf16 else "WINDOWS-1252"
        raise ParameterError(
            f"{path}, line {line}: not UTF-8 text: {said}",
            next_step=f"save {path.name} as UTF-8 (iconv -f {encoding} -t UTF-8)",
        ) from error
