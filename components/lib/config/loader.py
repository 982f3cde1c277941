"""Sections of ``params.yaml``, the active profile laid over them, as checked models.

Every stage declares its section as a subclass of :class:`Parameters`; an unknown key is an error that names
the nearest valid one, so that a typo can never fall back silently to a default.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from components.contract.documents import nearest
from components.contract.errors import ParameterError
from components.contract.parameters import PARAMS_FILE, read_sections, value_at


class Parameters(BaseModel):
    """Base of every section's model: immutable, without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


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
    value = load_section(section, path)
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
    return value_at(read_sections(path), section, path)


def _explain(section: str, model: type[BaseModel], error: ValidationError) -> str:
    return "; ".join(_explain_one(section, model, issue) for issue in error.errors())


def _explain_one(section: str, model: type[BaseModel], issue: Any) -> str:  # noqa: ANN401 - ErrorDetails
    location = [str(part) for part in issue["loc"]]
    dotted = ".".join([section, *location])
    if issue["type"] == "extra_forbidden":
        return f"{dotted}: unknown key{nearest(location[-1], _fields_at(model, location[:-1]))}"
    return f"{dotted}: {issue['msg']} (got {issue.get('input')!r})"


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    """Return the names of the fields valid at ``location`` inside ``model``."""
    for part in location:
        field = model.model_fields.get(part)
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
