"""Parameters of these commands."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from components.lib.config.loader import load_known
from components.lib.operations.parameters import ClaimParameters


class RunsParameters(ClaimParameters):
    """Keys of the section ``orchestration`` that these commands read.

    Attributes:
        stall_min: Minutes without a step, a log line or a byte after which a stage is killed; None for never.
        pod_limit_h: Hours after which a stage is ended.
    """

    stall_min: float | None = Field(default=60.0, gt=0)
    pod_limit_h: float = Field(default=96.0, gt=0)


def load_runs_parameters(path: Path) -> RunsParameters:
    """Read the section ``orchestration``; its other keys are the orchestrator's.

    Raises:
        ParameterError: If it is malformed.
    """
    return load_known("orchestration", RunsParameters, path)
