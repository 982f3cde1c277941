"""Parameters of the report: the section ``report`` of ``params.yaml``."""

from __future__ import annotations

from pydantic import Field

from components.lib.config.loader import Parameters


class ReportParameters(Parameters):
    """Parameters that change pictures only; which tiles are drawn is ``evaluate.pictures``.

    Attributes:
        picture_px: Largest side of a tile's picture on the page, pixels.
    """

    picture_px: int = Field(default=480, ge=64, le=4096)
