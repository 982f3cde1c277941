"""Training of a segmentation network on the prepared tiles: threshold and scores on the selection slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.lib.datasets.sensors import get_sensor
from components.lib.engine.device import resolve_device
from components.lib.engine.inputs import paired_rows
from components.lib.engine.loop import FitResult
from components.lib.engine.run import TrainingRun
from components.lib.engine.selection import choose_threshold, pixel_histogram, pixel_scores
from components.lib.nets.bundle import save_bundle
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store

_SCORES = ("iou", "f1", "precision", "recall", "iou_half", "pr_auc", "threshold")
HEADLINE = ("iou", "iou_half", "pr_auc", "threshold", "seconds")
"""Numbers of a training that the DVC metric shows; all others are in ``details.json``."""


@dataclass(frozen=True, kw_only=True)
class StageRun(TrainingRun):
    """Training of one segmentation network; a stage with results of its own extends it.

    Attributes:
        net: The network.
        store: The training data.
        sensor: Sensor of the tiles that are scored.
    """

    net: SegmentationNetwork
    store: Store

    @property
    def simulated(self) -> bool:
        """True if the tiles are of the rehearsal world."""
        return get_sensor(self.sensor).simulated

    def metrics(self, result: FitResult) -> dict[str, Any]:
        """Choose the network's threshold on the selection slice; return the content of ``details.json``.

        The time that the training took is added later. Raises as
        :func:`components.lib.engine.inputs.paired_rows`.
        """
        device = resolve_device(self.training)
        rows = paired_rows(self.store, self.sensor, "selection")
        histogram = pixel_histogram(self.net, self.store, self.sensor, rows, device=device)
        choose_threshold(self.net, histogram)
        return {
            **pixel_scores(histogram, self.net.config.threshold),
            "tiles": len(rows),
            "split": "selection",
            "sensor": self.sensor,
            **self.facts(),
        }

    def tracked_metrics(self, metrics: dict[str, Any]) -> dict[str, float]:
        """Return the scores among ``metrics`` under the names that experiment tracking shows."""
        return {f"selection_{key}": metrics[key] for key in _SCORES}

    def headline(self, details: dict[str, Any]) -> dict[str, float]:
        """Return the few numbers of ``metrics.json``, chosen from the details."""
        return {name: details[name] for name in HEADLINE}

    def publish(self, metadata: dict[str, Any]) -> None:
        """Write the bundle."""
        save_bundle(self.model_folder, self.net, metadata)
