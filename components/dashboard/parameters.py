"""Settings of the dashboard, from the environment and ``params.yaml``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from components.lib.config.loader import load_known, load_parameters
from components.lib.history.cost import CostParameters
from components.lib.objects.opening import DEFAULTS, OBJECTS
from components.lib.operations.parameters import ClaimParameters

TOKEN = "STORMSIGHT_DASHBOARD_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable: word that a reader states as password."""

SOURCE, REMOTE = "STORMSIGHT_SOURCE", "STORMSIGHT_REMOTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Places that the dashboard reads.

    Attributes:
        objects: Address of the store of ledgers, records and catalogue.
        checkout: Folder in which ``make repro`` and ``make map`` ran.
        remote: Address of DVC's remote, which holds what trainings in the store made.
    """

    objects: str
    checkout: Path
    remote: str = "var/remote"

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """Read ``STORMSIGHT_OBJECTS``, ``_REMOTE`` and ``_SOURCE``; defaults lie in the working folder."""
        checkout = Path(variables.get(SOURCE) or ".").absolute()
        return cls(
            objects=variables.get(OBJECTS) or DEFAULTS[OBJECTS],
            checkout=checkout,
            remote=variables.get(REMOTE) or "var/remote",
        )

    @property
    def maps(self) -> Path:
        """Folder of the catalogue that ``make map`` writes."""
        return self.checkout / "maps"

    def claims(self) -> ClaimParameters:
        """Return the parameters of claims.

        Raises:
            ParameterError: If ``params.yaml`` is missing or malformed.
        """
        return load_known("orchestration", ClaimParameters, self.checkout / "params.yaml")

    def prices(self) -> CostParameters:
        """Return the price table and power model.

        Raises:
            ParameterError: If ``params.yaml`` is missing or malformed.
        """
        return load_parameters("cost", CostParameters, self.checkout / "params.yaml")
