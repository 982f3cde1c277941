"""Sections of ``params.yaml``, the active profile laid over them, as checked models.

Every stage declares its section as a subclass of :class:`Parameters`; an unknown key is an error that names
the nearest valid one, so that a typo can never fall back silently to a default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, field_validator

from components.contract.documents import nearest, read_yaml, require_mapping, shortened, shown
from components.contract.errors import ParameterError
from components.contract.parameters import (
    PARAMS_FILE,
    read_sections,
    refuse_stale_lock,
    resolve,
    value_at,
)
from components.contract.partitions import partition_names, require_partition
from components.contract.variables import PROFILE

SERVICES = frozenset({"map", "orchestration", "evidence", "cost"})
"""Sections that no stage reads: what reads them does not follow DVC's graph."""

SHOWN_ISSUES = 8
"""Mistakes of one section that a message lists; a list of a million wrong values has as many."""


class Parameters(BaseModel):
    """Base of the model of a section, or of another declaration: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @field_validator("*", mode="wrap")
    @classmethod
    def _as_written(cls, given: Any, validate: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401
        """Refuse what pydantic reads as another kind: ``true`` as 1, the text ``'1e-2'`` as a number."""
        read = validate(given)
        _refuse_other_kinds(given, read)
        return read


P = TypeVar("P", bound=Parameters)


def load_parameters(section: str, model: type[P], path: Path = PARAMS_FILE) -> P:
    """Read ``section`` of ``path``, overlay the active profile, and validate it as ``model``.

    Args:
        section: A section, or a mapping inside one: ``methods.concord``.
        model: The section's declaration. Its fields carry the units.
        path: The parameter file, by default ``params.yaml`` of the working directory.

    Raises:
        ParameterError: If the file is missing or malformed, a key is unknown (the nearest valid key is
            named), or a value does not fit its field.
    """
    return validated(section, model, load_section(section, path), path)


def load_under(profile: str | None, section: str, model: type[P], path: Path = PARAMS_FILE) -> P:
    """Read ``section`` under another profile than the file's own, for a command that is no stage.

    Args:
        profile: Profile of the file, as ``STORMSIGHT_PROFILE`` names it; None for the file's own.
        section: Name of the section.
        model: Declaration of the section.
        path: The parameter file.

    Raises:
        ParameterError: As :func:`load_parameters`, or if there is no such profile.
    """
    document = read_yaml(path)
    if profile is not None:
        document = {**document, "profile": profile}
    sections = resolve(document, str(path) if profile is None else f"{PROFILE} or {path}")
    return validated(section, model, value_at(sections, section, path), path)


def load_known(section: str, model: type[P], path: Path) -> P:
    """Read those keys of ``section`` that ``model`` has; its other keys belong to other readers.

    Args:
        section: A section that several commands share, such as ``orchestration``.
        model: Declaration of the keys that one of them reads.
        path: The parameter file.

    Raises:
        ParameterError: As :func:`load_parameters`, unknown keys apart.
    """
    return validated_known(section, model, load_section(section, path), path)


def validated_known(section: str, model: type[P], value: object, path: Path = PARAMS_FILE) -> P:
    """Return those keys of ``value``, the content of ``section``, that ``model`` has, as ``model``.

    Raises:
        ParameterError: If it is no mapping, or one of these values does not fit.
    """
    given = require_mapping(value, f"{path}: {section}")
    return validated(
        section, model, {name: given[name] for name in model.model_fields if name in given}, path
    )


def validated(section: str, model: type[P], value: object, path: Path = PARAMS_FILE) -> P:
    """Return ``value``, the content of ``section``, as ``model``.

    Raises:
        ParameterError: If a key is unknown (the nearest valid key is named), or a value does not fit.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ParameterError(
            _explain(section, model, error), next_step=f"correct {path} and run the command again"
        ) from error


def load_section(section: str, path: Path = PARAMS_FILE) -> Any:  # noqa: ANN401 - YAML holds any value
    """Return the raw value of ``section`` with the active profile laid over it.

    Args:
        section: A section, or a mapping inside one: ``methods.concord``.
        path: The parameter file.

    Raises:
        ParameterError: As :func:`load_parameters`.
    """
    sections = read_sections(path)
    if section.partition(".")[0] not in SERVICES:
        refuse_stale_lock(sections, path)
    return value_at(sections, section, path)


def load_partitions(only: str | None = None, path: Path = PARAMS_FILE) -> list[str]:
    """Return the names of the partitions.

    Args:
        only: Name of the one that is asked for; None for all.
        path: The parameter file.

    Raises:
        ParameterError: As :func:`load_parameters`, or if there is no such partition.
    """
    sections = read_sections(path)
    refuse_stale_lock(sections, path)
    names = partition_names(sections)
    return names if only is None else [require_partition(only, names)]


def _refuse_other_kinds(given: object, read: object) -> None:
    """Raise ValueError if a number, a truth value or a text was read as another of these three."""
    if isinstance(given, list | tuple) and isinstance(read, list | tuple):
        for inner, found in zip(given, read, strict=False):
            _refuse_other_kinds(inner, found)
    elif isinstance(given, dict) and isinstance(read, dict):
        for key in given.keys() & read.keys():
            _refuse_other_kinds(given[key], read[key])
    elif isinstance(read, bool):
        if not isinstance(given, bool):
            raise ValueError("true or false is needed")
    elif isinstance(read, int | float) and (isinstance(given, bool) or not isinstance(given, int | float)):
        raise ValueError("a number is needed, without quotes")


def _explain(section: str, model: type[BaseModel], error: ValidationError) -> str:
    issues = error.errors(include_url=False)
    told = [_explain_one(section, model, issue) for issue in issues[:SHOWN_ISSUES]]
    more = len(issues) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told)


def _explain_one(section: str, model: type[BaseModel], issue: Any) -> str:  # noqa: ANN401 - ErrorDetails
    location = [shortened(str(part)) for part in issue["loc"]]
    dotted = ".".join([section, *location])
    if issue["type"] == "extra_forbidden":
        return f"{dotted}: unknown key{nearest(location[-1], _fields_at(model, location[:-1]))}"
    return f"{dotted}: {shortened(issue['msg'], 300)} (got {shown(issue.get('input'))})"


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Return the names of the fields valid at ``location`` inside ``model``."""
    for part in location:
        field = model.model_fields.get(part)
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
