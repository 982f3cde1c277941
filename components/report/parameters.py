"""Parameters of the report: the section ``report`` of ``params.yaml``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from components.lib.config.loader import Parameters


class ReportParameters(Parameters):
    """Parameters of the page; which tiles are drawn is ``evaluate.pictures``.

    Attributes:
        stability: Evidence file with the spread between repeated trainings.
        picture_px: Largest side of a tile's picture on the page, pixels.
    """

    stability: Path = Path(".assets/evidence/evidence.json")
    picture_px: int = Field(default=480, ge=64, le=4096)
