"""What housekeeping reads of params.yaml and of the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError

import components
from components.contract.errors import ParameterError
from components.lib.config.loader import Parameters, load_section
from components.lib.objects.opening import objects_from_environment, open_objects
from components.lib.objects.protocol import ObjectStore

REMOTE, SOURCE = "STORMSIGHT_REMOTE", "STORMSIGHT_SOURCE"


class Policy(Parameters):
    """The part of the section ``orchestration`` that says what is kept.

    Attributes:
        keep_runs: Trainings whose records and data are kept, the newest ones.
        keep_cache_days: Data that no kept record names are removed when older.
        lease_h: A claim that says nothing for longer is no longer at work.
    """

    keep_runs: int = Field(ge=0)
    keep_cache_days: float = Field(ge=0)
    lease_h: float = Field(gt=0)

    @property
    def lease(self) -> timedelta:
        """As a duration."""
        return timedelta(hours=self.lease_h)

    @property
    def keep_cache(self) -> timedelta:
        """As a duration."""
        return timedelta(days=self.keep_cache_days)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the section; its other keys are the orchestrator's.

        Raises:
            ParameterError: If the file or a key is missing, or a value does not fit.
        """
        section = load_section("orchestration", path)
        try:
            return cls.model_validate({name: section[name] for name in cls.model_fields if name in section})
        except ValidationError as error:
            issue = error.errors()[0]
            raise ParameterError(
                f"orchestration.{issue['loc'][0]}: {issue['msg']}", next_step=f"correct {path}"
            ) from error


@dataclass(frozen=True, slots=True)
class Places:
    """Where the state lies.

    Attributes:
        objects: Ledger, plans, records.
        remote: DVC's remote, seen as plain objects.
        source: Folder of the pipeline, with params.yaml.
    """

    objects: ObjectStore
    remote: ObjectStore
    source: Path

    @classmethod
    def from_environment(cls) -> Self:
        """From ``STORMSIGHT_OBJECTS``, ``STORMSIGHT_REMOTE`` and ``STORMSIGHT_SOURCE``."""
        package = Path(next(iter(components.__path__))).parent
        return cls(
            objects=objects_from_environment(),
            remote=open_objects(os.environ.get(REMOTE) or "var/remote"),
            source=Path(os.environ.get(SOURCE) or package),
        )
