"""Parameters of these commands, and ``params.yaml`` as a run needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from components.contract.documents import read_yaml, shown
from components.contract.errors import ParameterError
from components.contract.parameters import resolve
from components.contract.strict_yaml import dump
from components.lib.config.loader import Parameters, load_known


class RunsParameters(Parameters):
    """Keys of the section ``orchestration`` that these commands read."""

    lease_h: float = Field(default=72.0, gt=0)
    """A claim that says nothing for so long may be taken over, hours."""


def load_runs_parameters(path: Path) -> RunsParameters:
    """Read the section ``orchestration``; its other keys are the orchestrator's.

    Raises:
        ParameterError: If it is malformed.
    """
    return load_known("orchestration", RunsParameters, path)


def with_run(document: Mapping[str, Any], profile: str | None, acquisitions: Sequence[str]) -> dict[str, Any]:
    """Return ``params.yaml`` for a run: its profile switched on, registered acquisitions behind those listed.

    Args:
        document: The whole of params.yaml.
        profile: None leaves the file's own.
        acquisitions: Catalogue ids; one that is listed already is not listed twice.

    Raises:
        ParameterError: If there is no such profile.
    """
    switched = {**document} if profile is None else {**document, "profile": profile}
    listed = resolve(switched, "STORMSIGHT_PROFILE or params.yaml").get("acquisitions", [])
    if not acquisitions:
        return switched
    if not isinstance(listed, list):
        raise ParameterError(
            f"acquisitions: a list of catalogue ids is needed (got {shown(listed)})",
            next_step="correct acquisitions in params.yaml",
        )
    names = list(dict.fromkeys([*listed, *acquisitions]))
    profiles, active = switched["profiles"], switched["profile"]
    if profiles[active].get("acquisitions", {}) == {}:
        return {**switched, "acquisitions": names}
    return {**switched, "profiles": {**profiles, active: {**profiles[active], "acquisitions": names}}}


def write_for_run(source: Path, target: Path, profile: str | None, acquisitions: Sequence[str]) -> None:
    """Write :func:`with_run` of the file ``source`` to ``target``; comments are lost where it changes."""
    document = read_yaml(source)
    switched = with_run(document, profile, acquisitions)
    text = source.read_text(encoding="utf-8") if switched == document else dump(switched)
    target.write_text(text, encoding="utf-8")
