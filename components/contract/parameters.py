"""``params.yaml`` as all of its readers see it: its sections with the active profile laid over them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.contract.documents import nearest, read_yaml, refuse_unknown, require_mapping, shown
from components.contract.errors import ParameterError
from components.contract.partitions import PARTITIONS, graph_values

PARAMS_FILE = Path("params.yaml")

PARAMS_LOCK = "params.lock"
"""File beside ``params.yaml`` with the values that shape DVC's graph, under the active profile: DVC, which
knows no profiles, resolves ``${graph.distill.methods}`` in ``dvc.yaml`` from it.
:mod:`components.contract.graph.lock` renders it."""

GRAPH = "graph"
"""Key of that file under which the values stand."""

SECTIONS = (
    "world",
    "acquisitions",
    PARTITIONS,
    "download",
    "validate",
    "prepare",
    "training",
    "optical",
    "distill",
    "change",
    "methods",
    "adapt",
    "scoring",
    "evaluate",
    "report",
    "promote",
    "tracking",
    "pairs",
    "osm",
    "pretrain",
    "map",
    "orchestration",
    "evidence",
    "cost",
)
"""Sections of ``params.yaml``, in the order of the pipeline."""

ORCHESTRATION = (
    "retrain_schedule",
    "map_schedule",
    "map_groups",
    "map_pod",
    "redrive_schedule",
    "redrives",
    "landing_poll_s",
    "landing_bad_looks",
    "deadline_h",
    "pod_limit_h",
    "stall_min",
    "lease_h",
    "abandoned_h",
    "keep_runs",
    "keep_gb",
    "keep_cache_days",
    "keep_deliveries_days",
    "orphan_pod_h",
    "infrastructure_retries",
    "retries",
    "retry_delay_s",
)
"""Keys of the section ``orchestration``. Airflow alone reads some of them, and stops at an unknown one."""

_PROFILE_NAME = re.compile(r"[\w-]+")


def read_sections(path: Path = PARAMS_FILE) -> dict[str, Any]:
    """Read all sections of ``path`` with its active profile laid over them.

    Raises:
        ParameterError: As :func:`resolve`, or if the file is missing or no YAML mapping.
    """
    return resolve(read_yaml(path), str(path))


def resolve(document: Mapping[str, Any], where: str = "params.yaml") -> dict[str, Any]:
    """Lay the active profile over the sections of a document.

    Args:
        document: Sections, ``profile`` (a name) and ``profiles`` (by name, the parts of sections that it
            replaces).
        where: Name of the document in messages.

    Returns:
        The sections by name; those that the document does not have are absent.

    Raises:
        ParameterError: If a section is unknown, naming the nearest valid one, the profile is not declared, or
            ``profile``, ``profiles`` or the profile's block has the wrong shape.
    """
    refuse_unknown(document, (*SECTIONS, "profile", "profiles"), where)
    profiles = require_mapping(document.get("profiles"), f"{where}: profiles")
    active = document.get("profile")
    if not isinstance(active, str):
        raise ParameterError(
            f"{where}: profile: must be one name (got {shown(active)})",
            next_step=f"set profile in {where} to one of {_names(profiles)}",
        )
    if active not in profiles:
        raise ParameterError(
            f"profile: {shown(active)} is not declared under profiles{nearest(active, profiles)}",
            next_step=f"set profile in {where} to one of {_names(profiles)}",
        )
    if not _PROFILE_NAME.fullmatch(active):
        raise ParameterError(
            f"{where}: profile: {shown(active)} is no name that DVC can look up",
            next_step=f"rename it under profiles of {where}: letters, digits, - and _ only",
        )
    overlay = require_mapping(profiles[active], f"{where}: profiles.{active}")
    refuse_unknown(overlay, SECTIONS, f"profiles.{active}")
    for name in overlay:
        if isinstance(document.get(name), Mapping):
            require_mapping(overlay[name], f"{where}: profiles.{active}.{name}")
    return {name: merged(document[name], overlay.get(name, {})) for name in SECTIONS if name in document}


def refuse_stale_lock(sections: Mapping[str, Any], path: Path) -> None:
    """Raise if ``params.lock`` says something else than the parameters: DVC's graph is another one then.

    Args:
        sections: As :func:`resolve` gives them.
        path: The parameter file. Without a lock beside it there is nothing to compare.

    Raises:
        ParameterError: Names the first value that differs, or the lock is malformed.
    """
    lock = path.with_name(PARAMS_LOCK)
    if not lock.is_file():
        return
    values = graph_values(sections)
    for key, locked in _leaves(require_mapping(read_yaml(lock).get(GRAPH), f"{lock}: {GRAPH}")):
        found = value_at(values, key, path)
        if found != locked:
            raise ParameterError(
                f"{lock} has {key}: {shown(locked)}, and {path} under its profile {shown(found)}: "
                "DVC's graph is not that of these parameters",
                next_step="render it anew (`python -m components.check`; `make repro` does that first), "
                "then run the command again",
            )


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values that are no mappings."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _names(profiles: Mapping[str, Any]) -> str:
    return ", ".join(map(str, profiles))


def value_at(sections: Mapping[str, Any], key: str, where: Path) -> Any:  # noqa: ANN401 - YAML holds any value
    """Return the value at a dotted key: a section, or something inside one (``methods.concord``).

    Args:
        sections: As :func:`read_sections` gives them.
        key: Names joined by dots.
        where: Name of the file in messages.

    Raises:
        ParameterError: If there is none, naming the nearest key.
    """
    found: Any = sections
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            # A section that is ours and is missing is no misspelt one.
            known = found if isinstance(found, Mapping) and part not in SECTIONS else ()
            raise ParameterError(
                f"{where} has no section {shown(key)}{nearest(part, known)}",
                next_step=f"add {key}: to {where}",
            )
        found = found[part]
    return found


def merged(base: Any, overlay: Any) -> Any:  # noqa: ANN401 - YAML holds any value
    """Lay ``overlay`` over ``base``: mappings are merged key by key, anything else, null too, is replaced."""
    if overlay == {}:
        return base
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        return {**base, **{key: merged(base.get(key), value) for key, value in overlay.items()}}
    return overlay
