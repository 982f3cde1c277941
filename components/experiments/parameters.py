"""Parameters of the grid itself, and of its worlds and trials.

A trial's parameters are the profile's sections with the overrides of its row of the grid laid over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, model_validator

from components.contract.documents import read_yaml
from components.contract.hashing import sha256_json
from components.contract.parameters import PARAMS_FILE, merged, resolve
from components.contract.strict_yaml import dump
from components.contract.temporary import scratch_folder
from components.lib.config.loader import Parameters, load_parameters

UNTRACKED: Mapping[str, Any] = {"tracking": {"uri": "none"}}
"""Overlay without tracking: the grid keeps its own results, and a store would cost each trial migrations."""

WITHOUT_RESULT: Mapping[str, frozenset[str]] = {
    "training": frozenset({"device", "store", "checkpoint_every", "log_every"}),
}
"""Keys by section that change how a training runs and not its result."""

P = TypeVar("P", bound=Parameters)

BUDGET = ("training", "optical", "distill", "methods", "adapt")
"""Sections that all trainings of a profile share."""


class EvidenceParameters(Parameters):
    """Section `evidence` of ``params.yaml``: repetitions of each method, and trainings side by side.

    Attributes:
        seeds: Seeds of every method of the main tables.
        ablation_seeds: Seeds of the ablations, among ``seeds``: their upstream models must be there.
        jobs: Trainings at a time. How many threads each has is ``training.threads``, part of its identity.
    """

    seeds: tuple[int, ...] = Field(default=(17, 18, 19), min_length=1)
    ablation_seeds: tuple[int, ...] = Field(default=(17,), min_length=1)
    jobs: int = Field(default=2, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> EvidenceParameters:
        if len(set(self.seeds)) != len(self.seeds) or any(not 0 <= seed < 2**32 for seed in self.seeds):
            raise ValueError("seeds must be distinct and between 0 and 2**32 - 1")
        if not set(self.ablation_seeds) <= set(self.seeds):
            raise ValueError("ablation_seeds must be among seeds")
        return self


class ParameterOverlay:
    """Sections of ``params.yaml`` under one profile, onto which a row's overrides are laid.

    Args:
        params: Parameter file.
        profile: Profile to lay over it, instead of the file's own.

    Raises:
        ParameterError: If the file is malformed or has no such profile.
    """

    def __init__(self, params: Path, profile: str) -> None:
        self.profile = profile
        document = read_yaml(params)
        self._sections = resolve({**document, "profile": profile}, str(params))

    def sections(self, names: Iterable[str], *overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return the named sections with overrides, in order, laid over them."""
        laid: dict[str, Any] = reduce(merged, overrides, self._sections)
        return {name: laid[name] for name in sorted(names) if name in laid}

    def budget_times(self, times: int) -> dict[str, Any]:
        """Return the override under which a distillation takes ``times`` the profile's steps."""
        return {} if times == 1 else {"distill": {"epochs": times * self._sections["distill"]["epochs"]}}

    def checked(self, name: str, model: type[P], overrides: Mapping[str, Any] | None = None) -> P:
        """Return a section as its declaration; a section that the file lacks has its defaults.

        Raises:
            ParameterError: If a value does not fit.
        """
        with scratch_folder("trial") as folder:
            path = folder / PARAMS_FILE
            section = {**(self._sections.get(name) or {}), **(overrides or {})}
            path.write_text(dump({"profile": "trial", "profiles": {"trial": {}}, name: section}), "utf-8")
            return load_parameters(name, model, path)

    def document(self, *overrides: Mapping[str, Any]) -> str:
        """Return a whole parameter file (YAML), in which the overrides are the profile ``trial``."""
        laid: dict[str, Any] = reduce(merged, (*overrides, UNTRACKED), {})
        return dump({"profile": "trial", **self._sections, "profiles": {"trial": laid}})

    def budget_hash(self) -> str:
        """Return the SHA-256 of what all trainings of this profile share, seeds left out."""
        return sha256_json(without_noise(self.sections(BUDGET), seed=False))


def without_noise(sections: Mapping[str, Any], *, seed: bool = True) -> dict[str, Any]:
    """Return sections without what cannot change a trial's result.

    Args:
        sections: Sections by name, as from :meth:`ParameterOverlay.sections`.
        seed: True keeps ``training.seed``.
    """
    kept = {
        name: {key: v for key, v in value.items() if key not in WITHOUT_RESULT.get(name, ())}
        if isinstance(value, Mapping)
        else value
        for name, value in sections.items()
    }
    if not seed and "training" in kept:
        kept["training"].pop("seed", None)
    return kept
