"""What the gate shares with ``evaluate``: both score alike."""

from __future__ import annotations

from pydantic import ConfigDict

from components.lib.config.scoring import ScoringParameters
from components.lib.scoring.settings import ScoringSettings


class ScoringRules(ScoringParameters):
    """The part of the section ``evaluate`` that scoring follows; the rest, the report's, is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @property
    def settings(self) -> ScoringSettings:
        """For :func:`components.lib.scoring.score_model`."""
        return ScoringSettings.of(self)
