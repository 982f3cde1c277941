"""``params.lock``: the values that shape the graph of ``dvc.yaml``, under the active profile.

DVC resolves expressions from flat files and knows no profiles. So ``dvc.yaml`` names such a value below
``graph`` (``${graph.distill.methods}``), and reads it from this file, which is made from ``params.yaml`` and
committed. Which values these are is read off ``dvc.yaml`` itself. Where the stages run by partition, the file
also has a hash of each partition's acquisitions, on which its download depends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from components.contract.documents import read_yaml, shown
from components.contract.errors import ParameterError
from components.contract.parameters import GRAPH, read_sections, value_at
from components.contract.partitions import PARTITION_HASHES, PARTITIONS, graph_values, partition_hashes

HEADER = """\
# The values of params.yaml, under its active profile, that shape the graph of dvc.yaml. `make check` renders
# this file (python -m components.check): change params.yaml, never this.
"""

_EXPRESSION = re.compile(rf"\$\{{\s*{GRAPH}\.([\w.-]+)\s*\}}")


def graph_keys(dvc_yaml: Path) -> tuple[str, ...]:
    """Return the dotted keys of ``params.yaml`` that ``dvc.yaml`` names below ``graph``, sorted.

    Raises:
        ParameterError: If the file is missing or malformed.
    """
    found = {key for text in _texts(read_yaml(dvc_yaml, plain=False)) for key in _EXPRESSION.findall(text)}
    return tuple(sorted(found))


def render_lock(
    dvc_yaml: Path, params_yaml: Path, registered: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Return the text of ``params.lock``.

    Args:
        dvc_yaml: The pipeline file, at the root of the pipeline.
        params_yaml: The parameters; their own profile is the active one.
        registered: SHA-256 of catalogue entries that need not be there, by acquisition.

    Raises:
        ParameterError: If a file is missing or malformed, ``params.yaml`` lacks one of the values, or it is
            neither a word or number nor a list of distinct ones.
    """
    sections = read_sections(params_yaml)
    values, tree = graph_values(sections), dict[str, Any]()
    keys = graph_keys(dvc_yaml)
    for key in keys:
        *folders, leaf = key.split(".")
        inner = tree
        for name in folders:
            inner = inner.setdefault(name, {})
        inner[leaf] = _checked(value_at(values, key, params_yaml), key, params_yaml)
    # Each section as JSON, which is YAML: a name such as `on` stays a name.
    text = f"{HEADER}{_block(GRAPH, tree)}"
    if PARTITIONS in keys:
        text += _block(PARTITION_HASHES, partition_hashes(sections, dvc_yaml.parent, registered))
    return text


def _block(name: str, values: Mapping[str, Any]) -> str:
    lines = [f"  {key}: {json.dumps(values[key], ensure_ascii=False)}\n" for key in values]
    return f"{name}:{'' if lines else ' {}'}\n{''.join(lines)}"


def _texts(value: object) -> Iterator[str]:
    """Yield every key and text in a value of ``dvc.yaml``."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _checked(value: object, key: str, path: Path) -> object:
    """Return a value that can name stages and paths."""
    members = value if isinstance(value, list) else [value]
    if any(isinstance(member, list | Mapping) or member is None or member == "" for member in members):
        raise ParameterError(
            f"{path}: {key}: a name, or a list of names, is needed (got {shown(value)})",
            next_step=f"correct {key} in {path}, or what the active profile lays over it",
        )
    if len({str(member) for member in members}) != len(members):
        raise ParameterError(
            f"{path}: {key}: a name is listed twice (got {shown(value)})", next_step=f"list it once in {path}"
        )
    return value
