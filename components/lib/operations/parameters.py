"""Parameters of claims, the parameters that a run has, and the identity that it is planned with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from components.contract.documents import nearest, read_yaml, shown
from components.contract.errors import ParameterError
from components.contract.failures import FINAL_FOR_SET, FailureKind
from components.contract.identity import Identity, pipeline_identity
from components.contract.parameters import resolve
from components.contract.strict_yaml import dump
from components.contract.temporary import scratch_folder
from components.lib.config.loader import Parameters
from components.lib.operations.standing import OTHER


class ClaimParameters(Parameters):
    """Keys of the section ``orchestration`` that say how long a claim stands and how often one is repeated.

    Attributes:
        lease_h: Hours of silence after which a claim may be taken over.
        redrives: Number of times that a failed training is started again by the clock, by failure class, and
            under ``other`` for the classes that are not named.
    """

    lease_h: float = Field(default=2.0, gt=0)
    redrives: dict[str, int] = Field(default_factory=lambda: {OTHER: 3})

    @property
    def lease(self) -> timedelta:
        """``lease_h`` as a duration."""
        return timedelta(hours=self.lease_h)

    @field_validator("redrives")
    @classmethod
    def _known_classes(cls, redrives: dict[str, int]) -> dict[str, int]:
        """Refuse classes that do not exist or are final, and negative numbers."""
        known = [OTHER, *sorted(set(FailureKind) - FINAL_FOR_SET)]
        for name, number in redrives.items():
            if name in FINAL_FOR_SET:
                raise ValueError(f"{name} is never started again")
            if name not in known:
                raise ValueError(f"{name} is no failure class{nearest(name, known)}")
            if number < 0:
                raise ValueError(f"{name} is {number}: a whole number, 0 or more, is needed")
        return redrives


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


def identity_of(source: Path, profile: str | None) -> Identity:
    """Return the identity of the pipeline in ``source`` under a profile, without registered acquisitions.

    Args:
        source: Folder of components/, dvc.yaml and params.yaml.
        profile: Profile of params.yaml; None for the file's own.

    Raises:
        ParameterError: If ``source`` holds no pipeline, or params.yaml has no such profile.
    """
    with scratch_folder("identity") as scratch:
        params = scratch / "params.yaml"
        write_for_run(source / "params.yaml", params, profile, [])
        return pipeline_identity(source, params, {})
