"""Parameters of housekeeping, from params.yaml and the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field

import components
from components.lib.config.loader import Parameters, load_known
from components.lib.objects.opening import objects_from_environment, open_objects
from components.lib.objects.protocol import ObjectStore

REMOTE, SOURCE = "STORMSIGHT_REMOTE", "STORMSIGHT_SOURCE"


class Policy(Parameters):
    """Retention policy: the keys of the section ``orchestration`` that housekeeping follows.

    Attributes:
        keep_runs: Number of newest trainings whose records and data are kept.
        keep_gb: Gigabytes (10^9 bytes) that the records and data of these trainings may hold together; the
            oldest of them go until they fit, never the newest one. None for no limit.
        keep_cache_days: Age in days from which data that no kept record names are removed.
        keep_deliveries_days: Age in days from which copies of deliveries are removed that no training needs:
            of acquisitions withdrawn for so long, and those that were never registered; and the plans and
            blocks of maps.
        abandoned_h: Hours after its last sign of life from which a training counts as abandoned. Longer than
            the lease of its claim: a stage may wait for a node that long, or a person may repeat it.
    """

    keep_runs: int = Field(ge=0)
    keep_gb: float | None = Field(ge=0)
    keep_cache_days: float = Field(ge=0)
    keep_deliveries_days: float = Field(ge=2)
    abandoned_h: float = Field(gt=0)

    @property
    def abandoned(self) -> timedelta:
        """``abandoned_h`` as a duration."""
        return timedelta(hours=self.abandoned_h)

    @property
    def keep_cache(self) -> timedelta:
        """``keep_cache_days`` as a duration."""
        return timedelta(days=self.keep_cache_days)

    @property
    def keep_deliveries(self) -> timedelta:
        """``keep_deliveries_days`` as a duration."""
        return timedelta(days=self.keep_deliveries_days)

    @property
    def budget(self) -> float | None:
        """``keep_gb`` in bytes."""
        return None if self.keep_gb is None else self.keep_gb * 1e9

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the policy; other keys of the section belong to the orchestrator.

        Raises:
            ParameterError: If the file or a key is missing, or a value does not fit.
        """
        return load_known("orchestration", cls, path)


@dataclass(frozen=True, slots=True)
class Places:
    """Stores and folder that housekeeping works on.

    Attributes:
        objects: Store of ledgers, plans and records.
        remote: DVC's remote as a plain object store.
        source: Folder of the pipeline, with params.yaml.
    """

    objects: ObjectStore
    remote: ObjectStore
    source: Path

    @classmethod
    def from_environment(cls) -> Self:
        """Read ``STORMSIGHT_OBJECTS``, ``STORMSIGHT_REMOTE`` and ``STORMSIGHT_SOURCE``."""
        package = Path(next(iter(components.__path__))).parent
        return cls(
            objects=objects_from_environment(),
            remote=open_objects(os.environ.get(REMOTE) or "var/remote"),
            source=Path(os.environ.get(SOURCE) or package),
        )
