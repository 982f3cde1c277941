"""One section of ``params.yaml``, with the chosen profile laid over it, checked against its model.

``params.yaml`` holds a section per stage, a ``profile`` switch, and ``profiles``: what each profile changes.
Every stage declares its section as a subclass of :class:`Parameters`; an unknown key is an error that names
the nearest valid one, so that a typo can never fall back silently to a default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

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
    "adapt",
    "scoring",
    "evaluate",
    "report",
    "promote",
    "tracking",
    "orchestration",
    "evidence",
)
"""Sections of ``params.yaml``, in pipeline order."""

WITHOUT_RESULT = frozenset({"tracking", "orchestration", "evidence"})
"""Sections that change no stage's result: where things run, are written down, how often they are repeated."""


class Parameters(BaseModel):
    """Base of every section's model: immutable, no unknown keys, no silent type changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


P = TypeVar("P", bound=Parameters)


def load_parameters(section: str, model: type[P], path: Path = PARAMS_FILE) -> P:
    """Read ``section`` of ``path``, overlay the active profile, and validate it as ``model``.

    Args:
        section: One of ``SECTIONS``.
        model: The section's declaration. Its fields carry the units.
        path: The parameter file, by default ``params.yaml`` of the working directory.

    Raises:
        ParameterError: If the file is missing or malformed, a key is unknown (the nearest valid key is
            named), or a value does not fit its field.
    """
    value = load_section(section, path)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ParameterError(
            _explain(section, model, error), next_step=f"correct {path} and run the command again"
        ) from error


def load_section(section: str, path: Path = PARAMS_FILE) -> Any:  # noqa: ANN401 - YAML holds any value
    """The raw value of ``section`` after the active profile is laid over it.

    Raises:
        ParameterError: As :func:`load_parameters`.
    """
    return load_sections([section], path)[section]


def load_sections(sections: Iterable[str], path: Path = PARAMS_FILE) -> dict[str, Any]:
    """The raw values of several sections, the file read once.

    Raises:
        ParameterError: As :func:`load_parameters`.
    """
    document = _read(path)
    known = {*SECTIONS, "profile", "profiles"}
    _refuse_unknown(document, known, str(path))
    profiles = document.get("profiles", {})
    active = document.get("profile")
    if active not in profiles:
        raise ParameterError(
            f"profile: {active!r} is not declared under profiles{_nearest(str(active), profiles)}",
            next_step=f"set profile in {path} to one of {', '.join(map(str, profiles))}",
        )
    overlay = profiles[active]
    _refuse_unknown(overlay, set(SECTIONS), f"profiles.{active}")
    return {section: _section(document, overlay, section, path) for section in sections}


def _section(document: Mapping[str, Any], overlay: Mapping[str, Any], section: str, path: Path) -> Any:  # noqa: ANN401
    if section not in document:
        raise ParameterError(f"{path} has no section {section!r}", next_step=f"add {section}: to {path}")
    return merged(document[section], overlay.get(section, {}))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ParameterError(
            f"{path} not found", next_step="run the stage from the root of the repository"
        ) from error
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}", next_step=f"correct {path}") from error
    if not isinstance(document, dict):
        raise ParameterError(f"{path} must be a mapping of sections", next_step=f"correct {path}")
    return document


def merged(base: Any, overlay: Any) -> Any:  # noqa: ANN401 - YAML holds any value
    """``overlay`` over ``base``: mappings are merged key by key, anything else, null too, is replaced."""
    if overlay == {}:
        return base
    if isinstance(base, Mapping) and isinstance(overlay, Mapping):
        return {**base, **{key: merged(base.get(key), value) for key, value in overlay.items()}}
    return overlay


def _refuse_unknown(mapping: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in mapping:
        if key not in known:
            raise ParameterError(
                f"{where}: unknown key {key!r}{_nearest(key, known)}",
                next_step=f"rename or remove {key!r}",
            )


def _nearest(key: str, known: Iterable[str]) -> str:
    match = get_close_matches(key, [str(k) for k in known], n=1, cutoff=0.5)
    return f"; the nearest valid one is {match[0]!r}" if match else ""


def _explain(section: str, model: type[BaseModel], error: ValidationError) -> str:
    return "; ".join(_explain_one(section, model, issue) for issue in error.errors())


def _explain_one(section: str, model: type[BaseModel], issue: Any) -> str:  # noqa: ANN401 - ErrorDetails
    location = [str(part) for part in issue["loc"]]
    dotted = ".".join([section, *location])
    if issue["type"] == "extra_forbidden":
        return f"{dotted}: unknown key{_nearest(location[-1], _fields_at(model, location[:-1]))}"
    return f"{dotted}: {issue['msg']} (got {issue.get('input')!r})"


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Names of the fields valid at ``location`` inside ``model``."""
    for part in location:
        field = model.model_fields.get(part)
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
