"""``params.yaml`` as all of its readers see it: its sections with the active profile laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.contract.documents import nearest, read_yaml, refuse_unknown
from components.contract.errors import ParameterError

PARAMS_FILE = Path("params.yaml")

SECTIONS = (
    "world",
    "acquisitions",
    "download",
    "validate",
    "prepare",
    "training",
    "optical",
    "distill",
    "methods",
    "adapt",
    "scoring",
    "evaluate",
    "report",
    "promote",
    "tracking",
    "orchestration",
    "evidence",
)
"""Sections of ``params.yaml``, in the order of the pipeline."""


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
        ParameterError: If a section is unknown, naming the nearest valid one, or the profile is not declared.
    """
    refuse_unknown(document, (*SECTIONS, "profile", "profiles"), where)
    profiles = document.get("profiles") or {}
    active = document.get("profile")
    if active not in profiles:
        raise ParameterError(
            f"profile: {active!r} is not declared under profiles{nearest(str(active), profiles)}",
            next_step=f"set profile in {where} to one of {', '.join(map(str, profiles))}",
        )
    overlay = profiles[active]
    refuse_unknown(overlay, SECTIONS, f"profiles.{active}")
    return {name: merged(document[name], overlay.get(name, {})) for name in SECTIONS if name in document}


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
            known = found if isinstance(found, Mapping) else ()
            raise ParameterError(
                f"{where} has no section {key!r}{nearest(part, known)}", next_step=f"add {key}: to {where}"
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
