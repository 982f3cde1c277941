"""Settings of the exporter: what it reads, and the rules of claims (params.yaml)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import components
from components.contract.variables import PROFILE
from components.lib.config.loader import load_known
from components.lib.objects.opening import DEFAULTS, LANDING, OBJECTS, open_objects
from components.lib.objects.protocol import ObjectStore
from components.lib.operations.parameters import ClaimParameters

SOURCE = "STORMSIGHT_SOURCE"
BACKUPS = "STORMSIGHT_BACKUPS"
"""Environment variable: store of the databases' dumps; not set where none are made."""


@dataclass(frozen=True, slots=True)
class Places:
    """Stores and folder that the exporter reads.

    Attributes:
        objects: Store of ledgers, records and maps.
        landing: Store in which acquisitions arrive.
        backups: Store of the databases' dumps; None where none are made.
        source: Folder of the pipeline, with dvc.yaml and params.yaml.
        profile: Profile of params.yaml that trainings have; None for the file's own.
    """

    objects: ObjectStore
    landing: ObjectStore
    backups: ObjectStore | None
    source: Path
    profile: str | None

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ) -> Self:
        """Read ``STORMSIGHT_OBJECTS``, ``_LANDING``, ``_BACKUPS``, ``_SOURCE`` and ``_PROFILE``.

        Raises:
            ParameterError: If one names no store.
        """
        backups = variables.get(BACKUPS)
        package = Path(next(iter(components.__path__))).parent
        return cls(
            objects=open_objects(variables.get(OBJECTS) or DEFAULTS[OBJECTS]),
            landing=open_objects(variables.get(LANDING) or DEFAULTS[LANDING]),
            backups=open_objects(backups) if backups else None,
            source=Path(variables.get(SOURCE) or package).absolute(),
            profile=variables.get(PROFILE) or None,
        )


def load_claim_parameters(source: Path) -> ClaimParameters:
    """Read the rules of claims from the section ``orchestration``; its other keys are the orchestrator's.

    Raises:
        ParameterError: If it is malformed.
    """
    return load_known("orchestration", ClaimParameters, source / "params.yaml")
