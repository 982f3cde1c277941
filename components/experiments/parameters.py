"""Parameter files of worlds and cells: the profile's sections with a row's overrides laid over them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import yaml

from components.contract.errors import ParameterError
from components.lib.config.loader import (
    PARAMS_FILE,
    SECTIONS,
    Parameters,
    load_parameters,
    load_sections,
    merged,
)
from components.lib.files import require_input, sha256_bytes

UNTRACKED: Mapping[str, Any] = {"tracking": {"uri": "none"}}
"""Evidence keeps its own results; a tracking store would cost every cell its migrations."""

NO_RESULT: Mapping[str, frozenset[str]] = {
    "training": frozenset({"device", "store", "checkpoint_every", "log_every"}),
}
"""Keys that change how a training runs and not what comes out of it."""

P = TypeVar("P", bound=Parameters)

BUDGET = ("training", "optical", "distill", "adapt")


class Documents:
    """The sections of ``params.yaml`` under one profile.

    Args:
        params: The parameter file.
        profile: The profile to lay over it, instead of the file's own.

    Raises:
        ParameterError: If the file is malformed or has no such profile.
    """

    def __init__(self, params: Path, profile: str) -> None:
        self.profile = profile
        text = require_input(params, made_by="download").read_text("utf-8")
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ParameterError(
                f"{params} is not valid YAML: {error}", next_step=f"correct {params}"
            ) from error
        if isinstance(document, dict):
            document["profile"] = profile
        # Through a file, so that the stages' own loader does all the checking.
        with TemporaryDirectory() as folder:
            path = Path(folder) / params.name
            path.write_text(yaml.safe_dump(document), "utf-8")
            self._sections = load_sections([s for s in SECTIONS if s in (document or {})], path)

    def sections(self, names: Iterable[str], *overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The named sections with overrides, in order, laid over them."""
        laid: dict[str, Any] = reduce(merged, overrides, self._sections)
        return {name: laid[name] for name in sorted(names) if name in laid}

    def budget_times(self, times: int) -> dict[str, Any]:
        """Overrides under which a distillation takes ``times`` the profile's steps."""
        return {} if times == 1 else {"distill": {"epochs": times * self._sections["distill"]["epochs"]}}

    def checked(self, name: str, model: type[P], overrides: Mapping[str, Any] | None = None) -> P:
        """A section as its declaration; None where the file has no such section means its defaults.

        Raises:
            ParameterError: If a value does not fit.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder) / PARAMS_FILE
            section = {**(self._sections.get(name) or {}), **(overrides or {})}
            path.write_text(
                yaml.safe_dump({"profile": "cell", "profiles": {"cell": {}}, name: section}), "utf-8"
            )
            return load_parameters(name, model, path)

    def document(self, *overrides: Mapping[str, Any]) -> str:
        """A whole parameter file, in which the overrides are the profile ``cell``."""
        laid: dict[str, Any] = reduce(merged, (*overrides, UNTRACKED), {})
        return yaml.safe_dump(
            {"profile": "cell", **self._sections, "profiles": {"cell": laid}}, sort_keys=False
        )

    def budget_hash(self) -> str:
        """SHA-256 of what all trainings of this profile share; seeds are told apart from it."""
        return digest(without_noise(self.sections(BUDGET), seed=False))


def without_noise(
    sections: Mapping[str, Any], *, seed: bool = True, method: str | None = None, methods: Iterable[str] = ()
) -> dict[str, Any]:
    """Sections without what cannot change a cell's result.

    Args:
        sections: By name, as :meth:`Documents.sections` gives them.
        seed: Whether ``training.seed`` stays.
        method: The distillation method of the cell; what ``distill`` says of the other ``methods`` goes.
        methods: All methods that have keys of their own in ``distill``.
    """
    kept = {
        name: {key: v for key, v in value.items() if key not in NO_RESULT.get(name, ())}
        if isinstance(value, Mapping)
        else value
        for name, value in sections.items()
    }
    if not seed and "training" in kept:
        kept["training"].pop("seed", None)
    if method is not None and "distill" in kept:
        others = {*methods} - {method}
        distill = {key: v for key, v in kept["distill"].items() if key not in {*others, "methods"}}
        distill["lr"] = (distill.get("lr") or {}).get(method)
        kept["distill"] = distill
    return kept


def digest(value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """SHA-256 of ``value`` as canonical JSON."""
    return sha256_bytes(json.dumps(value, sort_keys=True, allow_nan=False).encode())
