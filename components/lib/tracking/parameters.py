"""Parameters of tracking: the section ``tracking`` of ``params.yaml``."""

from __future__ import annotations

import os

from pydantic import Field, field_validator

from components.contract.variables import problem_of_tracking
from components.lib.config.loader import Parameters

UNTRACKED = "none"
"""In place of a store's address: runs are not tracked."""


class TrackingParameters(Parameters):
    """Stores of runs and models.

    Attributes:
        uri: MLflow store, a ``sqlite:///`` file or an http(s) server, or ``none``: runs are not tracked.
            ``MLFLOW_TRACKING_URI`` wins over it.
        artifacts: Folder of a local store's artefacts; a server keeps its own. ``STORMSIGHT_ARTIFACTS`` wins
            over it.
        experiment: Name of the experiment all runs belong to.
    """

    uri: str = Field(default="sqlite:///var/mlflow.db", min_length=1)
    artifacts: str = Field(default="var/mlartifacts", min_length=1)
    experiment: str = Field(default="stormsight", min_length=1)

    @field_validator("uri")
    @classmethod
    def _is_a_store(cls, uri: str) -> str:
        problem = problem_of_tracking(uri)
        if problem is not None:
            raise ValueError(f"{problem}; use sqlite:///var/mlflow.db, http://host:port or {UNTRACKED}")
        return uri

    @property
    def effective_uri(self) -> str:
        """Return the store in use; ``MLFLOW_TRACKING_URI`` wins."""
        return os.environ.get("MLFLOW_TRACKING_URI") or self.uri

    @property
    def effective_artifacts(self) -> str:
        """Return the artefacts' folder in use; ``STORMSIGHT_ARTIFACTS`` wins."""
        return os.environ.get("STORMSIGHT_ARTIFACTS") or self.artifacts
