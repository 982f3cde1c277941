"""What these commands read of params.yaml, and how it is laid out for a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from components.contract.errors import ParameterError
from components.lib.config.loader import SECTIONS, WITHOUT_RESULT, Parameters, load_section, load_sections
from components.lib.files import sha256_bytes
from components.lib.objects.sealed import canonical


class RunsParameters(Parameters):
    """The part of the section ``orchestration`` that these commands read."""

    lease_h: float = Field(default=72.0, gt=0)
    """A claim that says nothing for so long may be taken over, hours."""


def load_runs_parameters(path: Path) -> RunsParameters:
    """Read the section ``orchestration``; its other keys are the orchestrator's.

    Raises:
        ParameterError: If it is malformed.
    """
    section = load_section("orchestration", path)
    known = {name: section[name] for name in RunsParameters.model_fields if name in section}
    try:
        return RunsParameters.model_validate(known)
    except ValueError as error:
        raise ParameterError(
            f"orchestration.lease_h: a positive number of hours is needed (got {known['lease_h']!r})",
            next_step=f"correct {path}",
        ) from error


def with_run(document: Mapping[str, Any], profile: str | None, acquisitions: Sequence[str]) -> dict[str, Any]:
    """``params.yaml`` for a run: the profile switched on, the registered acquisitions behind those listed.

    Args:
        document: The whole of params.yaml.
        profile: None leaves the file's own.
        acquisitions: Catalogue ids; one that is listed already is not listed twice.

    Raises:
        ParameterError: If there is no such profile.
    """
    switched = {**document} if profile is None else {**document, "profile": profile}
    profiles = switched.get("profiles") or {}
    active = switched.get("profile")
    if active not in profiles:
        raise ParameterError(
            f"profile {active!r} is not among those of params.yaml: {', '.join(map(str, profiles))}",
            next_step="set STORMSIGHT_PROFILE (or profile in params.yaml) to one of them",
        )
    if not acquisitions:
        return switched
    own = profiles[active].get("acquisitions", {})
    names = list(dict.fromkeys([*(switched.get("acquisitions", []) if own == {} else own), *acquisitions]))
    if own == {}:
        return {**switched, "acquisitions": names}
    return {**switched, "profiles": {**profiles, active: {**profiles[active], "acquisitions": names}}}


def write_for_run(source: Path, target: Path, profile: str | None, acquisitions: Sequence[str]) -> None:
    """Write :func:`with_run` of the file ``source`` to ``target``; comments are lost where it changes."""
    document = read_document(source)
    switched = with_run(document, profile, acquisitions)
    text = (
        source.read_text(encoding="utf-8")
        if switched == document
        else yaml.safe_dump(switched, sort_keys=False, allow_unicode=True)
    )
    target.write_text(text, encoding="utf-8")


def read_document(path: Path) -> dict[str, Any]:
    """The whole of ``params.yaml``.

    Raises:
        ParameterError: If it is absent or no mapping.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ParameterError(
            f"{path}: {error}", next_step="point STORMSIGHT_SOURCE at the pipeline"
        ) from error
    if not isinstance(document, dict):
        raise ParameterError(f"{path} must be a mapping of sections", next_step=f"correct {path}")
    return document


def params_hash(path: Path) -> str:
    """SHA-256 of all sections that change results, the active profile laid over them.

    Raises:
        ParameterError: If the file is malformed.
    """
    document = read_document(path)
    wanted = [name for name in SECTIONS if name in document and name not in WITHOUT_RESULT]
    return sha256_bytes(canonical(load_sections(wanted, path)))
