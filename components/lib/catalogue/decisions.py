"""Parts of a decision record that a model's item tells: scores with intervals, and the training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.contract.keys import LOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score of a model with its interval; attributes as of ``components.lib.metrics.intervals.Interval``."""

    value: float
    low: float
    high: float
    confidence: float
    locations: int
    degenerate: bool

    def told(self) -> dict[str, Any]:
        """Return the score as JSON values, without the interval's ends where they are unknown."""
        return {
            "value": self.value,
            "low": None if self.degenerate else self.low,
            "high": None if self.degenerate else self.high,
            "confidence": self.confidence,
            "ground_blocks": self.locations,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorScore:
    """Score of a challenger on one sensor."""

    challenger: Score | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Decision record of the gate, as far as an item tells it.

    Attributes:
        method: Method that the model was trained by.
        simulated: True if any tile is from the simulated world.
        metric: Metric of the scores.
        tiles: Clean test tiles.
        challenger: Score of the model on all sensors.
        champion: Score of the champion before it.
        gain: Difference of both.
        by_sensor: Score of the model by sensor.
        sha256: SHA-256 of what was judged, by name; ``data`` is the prepared store.
        acquisitions: Acquisitions in the prepared store; none in records of former code.
        scoring: What scores depend on beside network and data; empty in records of former code.
        ground: Units that are counted, in words.
        training: Prefix of the training in the object store, None for a user's own run.
    """

    method: str
    simulated: bool
    metric: str
    tiles: int
    challenger: Score | None
    champion: Score | None
    gain: Score | None
    by_sensor: Mapping[str, SensorScore]
    sha256: Mapping[str, str]
    acquisitions: tuple[str, ...] = ()
    scoring: Mapping[str, Any] = field(default_factory=dict)
    ground: str = "clean test tiles"
    training: str | None = None

    def metrics(self) -> dict[str, Any]:
        """Return the scores as JSON values."""
        return {
            "simulated": self.simulated,
            "ground": self.ground,
            "metric": self.metric,
            "tiles": self.tiles,
            "all_sensors": _told(self.challenger),
            "by_sensor": {sensor: _told(score.challenger) for sensor, score in self.by_sensor.items()},
            "champion_before": _told(self.champion),
            "gain": _told(self.gain),
            "scoring": dict(self.scoring),
        }

    def training_data(self) -> dict[str, Any]:
        """Return what the model was trained on; the lock is there once the training has ended."""
        return {
            "acquisitions": list(self.acquisitions),
            "store_sha256": self.sha256.get("data"),
            "training": self.training,
            "lock": None if self.training is None else f"{self.training}/{LOCK}",
        }


def _told(score: Score | None) -> dict[str, Any] | None:
    return None if score is None else score.told()
