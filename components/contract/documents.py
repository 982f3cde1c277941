"""Configuration files: YAML read the way DVC does, and errors that name the nearest valid key.

DVC reads YAML 1.2, PyYAML 1.1. They differ where an address may depend on it: ``1e-3`` is a number and
``no`` a word in the former, a word and a truth value in the latter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from components.contract.errors import ParameterError

# libyaml where PyYAML was built with it: every import of a DAG file reads these files.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SCALARS = {
    "tag:yaml.org,2002:bool": r"^(?:true|True|TRUE|false|False|FALSE)$",
    "tag:yaml.org,2002:int": r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$",
    "tag:yaml.org,2002:float": (
        r"^(?:[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|\.[0-9_]+(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))|\.(?:nan|NaN|NAN))$"
    ),
}


class _Loader(_Base):  # type: ignore[misc]
    """The safe loader with YAML 1.2's plain scalars."""

    yaml_implicit_resolvers: dict[str, Any] = {  # noqa: RUF012 - PyYAML's own way to declare them
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in _SCALARS]
        for first, resolvers in _Base.yaml_implicit_resolvers.items()
    }


def _integer(loader: Any, node: Any) -> int:  # noqa: ANN401 - PyYAML is not typed
    text = str(loader.construct_scalar(node)).replace("_", "")
    return int(text, 0) if re.match(r"[-+]?0[box]", text) else int(text, 10)


for _tag, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), list("-+.0123456789tTfF"))
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in ``path``.

    Raises:
        ParameterError: If the file is missing, is not YAML, or holds something else than a mapping.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - it is a safe one
    except FileNotFoundError as error:
        raise ParameterError(
            f"{path} not found",
            next_step="run the command from the root of the repository, or point STORMSIGHT_SOURCE to it",
        ) from error
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}", next_step=f"correct {path}") from error
    if not isinstance(document, dict):
        raise ParameterError(f"{path} must be a mapping", next_step=f"correct {path}")
    return document


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
