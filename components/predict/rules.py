"""Everything beside scene and model that a map follows from: parameters and code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Any

from components.contract.hashing import sha256_json
from components.contract.parameters import PARAMS_FILE
from components.lib.config.loader import load_under, validated
from components.lib.config.scoring import ScoringSettings
from components.lib.mapping.blocks import Windows
from components.predict.code import mapping_code
from components.predict.parameters import SMALLEST_WINDOW_PX, MapParameters

_UNSEEN = {"device", "threads", "workers"}
"""Parameters of the section ``map`` that change how fast a map is made, and at most its last bits."""

_SCORED_ONLY = {"iou", "window_px", "batch", "block_m"}
"""Parameters of the section ``scoring`` that no map depends on."""


@dataclass(frozen=True)
class MapRules:
    """Rules of a map.

    Attributes:
        parameters: The section ``map``.
        scoring: The section ``scoring``: views, vectoriser, threshold.
        statistics_of: Sensor that the network takes the looks for, where it does not know their own.
    """

    parameters: MapParameters
    scoring: ScoringSettings
    statistics_of: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """The parameters that a map depends on, JSON values."""
        return {
            "map": self.parameters.model_dump(mode="json", exclude=_UNSEEN),
            "scoring": self.scoring.model_dump(mode="json", exclude=_SCORED_ONLY),
            "statistics_of": self.statistics_of,
        }

    def windows(self, shape: tuple[int, int]) -> Windows:
        """Return the prediction windows of a scene of this height and width, pixels.

        A scene that fits into one window gets one of about its own size: what lies beyond would be predicted
        in vain. Sides are multiples of ``SMALLEST_WINDOW_PX``, which every encoder takes.
        """
        side, overlap = self.parameters.window_px, self.parameters.overlap_px
        enough = ceil(max(shape) / SMALLEST_WINDOW_PX) * SMALLEST_WINDOW_PX
        return Windows(shape, enough, 0) if enough < side else Windows(shape, side, overlap)

    @cached_property
    def parameters_sha256(self) -> str:
        """SHA-256 of :attr:`values`."""
        return sha256_json(self.values)

    @cached_property
    def code(self) -> str:
        """SHA-256 of the code that pixels and footprints depend on."""
        return mapping_code()


def load_rules(params: Path = PARAMS_FILE, *, profile: str | None = None) -> MapRules:
    """Read the sections ``map`` and ``scoring``.

    Args:
        params: The parameter file.
        profile: Profile to switch on; None for the file's own.

    Raises:
        ParameterError: If the file or a value is wrong, or there is no such profile.
    """
    return MapRules(
        load_under(profile, "map", MapParameters, params),
        load_under(profile, "scoring", ScoringSettings, params),
    )


def changed(rules: MapRules, values: Mapping[str, Any]) -> MapRules:
    """Return the rules with other values of the section ``map``.

    Raises:
        ParameterError: If a value is wrong.
    """
    given = {**rules.parameters.model_dump(), **values}
    return replace(rules, parameters=validated("map", MapParameters, given))
