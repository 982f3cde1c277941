"""Results of an adaptation: scores before and after, what each round of pseudo-labels gave."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from components.adapt.labels import LabelFolder
from components.adapt.parameters import AdaptParameters
from components.adapt.task import estimate_statistics
from components.lib.datasets.sensors import get_sensor
from components.lib.engine.device import resolve_device
from components.lib.engine.loop import FitResult
from components.lib.engine.parameters import TrainingParameters
from components.lib.engine.selection import choose_threshold, pixel_histogram, pixel_scores
from components.lib.engine.stage import HEADLINE, StageRun
from components.lib.metrics.probabilities import ProbabilityHistogram
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store

LOG = logging.getLogger(__name__)
COLUMNS = ("step", "lr", "loss", "source", "target")
"""Columns of the curve; a run without a step has them, too."""

RoleScores = dict[str, dict[str, float] | None]
"""Scores of ``source`` and ``target``; None where a sensor has no selection tiles."""


@dataclass(frozen=True, kw_only=True)
class AdaptRun(StageRun):
    """One adaptation; ``sensor`` is the target.

    Attributes:
        source: Sensor with labels.
        parameters: Section `adapt`.
        labels: Folder of the target's pseudo-labels, and how they are made.
        starts: First step of each round of pseudo-labels.
        before: Scores of the network as it was; the source's statistics serve both sensors.
        target_images: Gives batches of the target's images, (B, C, H, W) each, that its own statistics are
            estimated from; None where it has none of its own.
    """

    source: str
    parameters: AdaptParameters
    labels: LabelFolder
    starts: tuple[int, ...]
    before: RoleScores
    target_images: Callable[[], Iterable[Tensor]] | None
    columns: ClassVar[tuple[str, ...] | None] = COLUMNS

    @property
    def simulated(self) -> bool:
        """True if either sensor is of the rehearsal world."""
        return any(get_sensor(name).simulated for name in (self.source, self.sensor))

    def finish(self, result: FitResult) -> None:
        """Estimate the target's statistics where no step of self-training did."""
        if result.stopped is not None:
            LOG.warning(
                "adapt: self-training stopped before it began (%s); published is the network of the warm-up, "
                "with the target's statistics re-estimated",
                result.stopped,
            )
        if (self.steps == 0 or result.stopped is not None) and self.target_images is not None:
            net = self.net.to(resolve_device(self.training))
            estimate_statistics(net, self.sensor, self.target_images())

    def metrics(self, result: FitResult) -> dict[str, Any]:
        """Choose the network's threshold on the source; return the content of ``details.json``.

        The target has no labels to choose one by. The time that the training took is added later.
        """
        after = self._scores_after()
        summaries = self.labels.summaries(len(self.starts))
        rounds = zip(self.starts, summaries, strict=result.stopped is None)
        return {
            "adapted": True,
            "start_from": self.parameters.start_from,
            "source": self.source,
            "target": self.sensor,
            "labels": self.parameters.labels,
            "target_labels_used": self.parameters.labels == "truth",
            "normalisation": self.parameters.normalisation,
            "inputs": self.parameters.inputs,
            "stems": self.parameters.stems,
            "scales": list(self.labels.settings.scales),
            "simulated": self.simulated,
            "steps": self.steps,
            "stopped": result.stopped,
            "split": "selection",
            "before": self.before,
            "after": after,
            "rounds": [{"step": step, **summary} for step, summary in rounds],
        }

    def _scores_after(self) -> RoleScores:
        histograms = histograms_by_role(self.net, self.store, self.source, self.sensor, self.training)
        if histograms["source"] is not None:
            choose_threshold(self.net, histograms["source"])
        return scores_by_role(histograms, self.net.config.threshold)

    def headline(self, details: dict[str, Any]) -> dict[str, float]:
        """Return the source's scores, and the target's IoU without and with adaptation."""
        before, after = details["before"]["target"], details["after"]["target"]
        target = {"unadapted": before["iou"], "adapted": after["iou"]} if before and after else {}
        source = details["after"]["source"] or {}
        own = {name: source[name] for name in HEADLINE if name in source}
        return {**own, **target, "seconds": details["seconds"]}

    def tracked_metrics(self, metrics: dict[str, Any]) -> dict[str, float]:
        """Return selection scores and label shares under dotted names."""
        values: dict[str, float] = {}
        for moment in ("before", "after"):
            for role, scores in metrics[moment].items():
                values |= {f"selection.{role}.{moment}.{name}": v for name, v in (scores or {}).items()}
        for number, summary in enumerate(metrics["rounds"], start=1):
            values[f"round.{number}.ignored"] = summary["ignored"]
            values[f"round.{number}.building"] = summary["shares"][1]
        return values

    def metadata(self, metrics: dict[str, Any]) -> dict[str, Any]:
        """Return what is stored with the model; it says whether the target's labels were trained on."""
        facts = {"adapted": True, "target_labels_used": metrics["target_labels_used"]}
        return {**super().metadata(metrics), **facts}

    def clean_up(self) -> None:
        """Remove the pseudo-labels."""
        self.labels.remove()


def histograms_by_role(
    net: SegmentationNetwork,
    store: Store,
    source: str,
    target: str,
    training: TrainingParameters,
    *,
    statistics_of: Mapping[str, str] | None = None,
) -> dict[str, ProbabilityHistogram | None]:
    """Return the probabilities on both sensors' selection tiles, which lie inside the training ground.

    Args:
        net: The network.
        store: The prepared tiles.
        source: Sensor with labels.
        target: Sensor without.
        training: Section `training`; chooses the device.
        statistics_of: Sensor whose statistics serve another one; each has its own by default.

    Returns:
        By ``source`` and ``target``; None where a sensor has no selection tiles.
    """
    device = resolve_device(training)
    histograms: dict[str, ProbabilityHistogram | None] = {}
    for role, sensor in (("source", source), ("target", target)):
        rows = store.rows(sensor, "selection")
        used = (statistics_of or {}).get(sensor, sensor)
        histograms[role] = (
            pixel_histogram(net, store, sensor, rows, device=device, statistics_of=used)
            if len(rows)
            else None
        )
    return histograms


def scores_by_role(histograms: Mapping[str, ProbabilityHistogram | None], threshold: float) -> RoleScores:
    """Return the scores at ``threshold`` from the histograms of :func:`histograms_by_role`."""
    return {
        role: None if histogram is None else pixel_scores(histogram, threshold)
        for role, histogram in histograms.items()
    }
