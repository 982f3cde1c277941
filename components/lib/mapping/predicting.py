"""Predictions of windows: batches on a GPU, on CPU windows side by side.

On CPU a batch gains nothing, and threads that share each layer wait for each other at its end: every thread
predicts windows of its own, with a network whose layers are fused for prediction
(:mod:`components.lib.mapping.fusing`). A window's prediction then depends neither on its neighbours nor on
the number of threads, up to ``batch`` of them.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from components.contract.errors import ParameterError
from components.lib.inference.tiles import BATCH, WINDOW_PX, bands_of
from components.lib.inference.views import PLAIN, View, predict_views
from components.lib.mapping.ahead import side_by_side
from components.lib.mapping.blending import FINE, MOST_OVERLAP_PX, FineLevels
from components.lib.mapping.folding import folded
from components.lib.mapping.fusing import fused
from components.lib.mapping.windows import Batch, Part
from components.lib.nets.network import SegmentationNetwork

Precision = Literal["float32", "bfloat16"]

Predicted = tuple[list[Part], FineLevels]
"""Parts of a batch, and the predictions (rows, bands, side, side) of the predicted ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings:
    """Prediction of windows.

    Attributes:
        window_px: Side of a window, pixels.
        overlap_px: Pixels that neighbouring windows share: less than half a side, at most 255.
        batch: Windows that are predicted at a time: by one pass of the network on a GPU, where another number
            may change a probability's last bits; on CPU side by side, by as many threads at most.
        views: Views of each window that are averaged.
        device: Device of the network, such as ``cpu`` or ``cuda``.
        precision: Of the network's products; its probabilities are float32 in either case.
        statistics_of: Sensor whose normalisation the network uses, by default each look's own.
        kept_in_memory_mib: Memory for predictions that later blocks take again; more go to a temporary file.
        kept_on_disk_mib: Size of that file at most; what does not fit is predicted again.
    """

    window_px: int = WINDOW_PX
    overlap_px: int = 64
    batch: int = BATCH
    views: tuple[View, ...] = PLAIN
    device: str = "cpu"
    precision: Precision = "float32"
    statistics_of: str | None = None
    kept_in_memory_mib: int = 2
    kept_on_disk_mib: int = 4096

    def __post_init__(self) -> None:
        if not 0 <= self.overlap_px < self.window_px / 2 or self.overlap_px > MOST_OVERLAP_PX:
            raise ParameterError(
                f"windows of {self.window_px} px cannot overlap by {self.overlap_px} px",
                next_step=f"choose an overlap below half a window, and at most {MOST_OVERLAP_PX} px",
            )

    @property
    def on_cpu(self) -> bool:
        """True if the network computes on the processor."""
        return torch.device(self.device).type == "cpu"

    @property
    def rows(self) -> int:
        """Windows of one pass of the network."""
        return 1 if self.on_cpu else self.batch


def prepared(net: SegmentationNetwork, sensor: str, settings: WindowSettings) -> SegmentationNetwork:
    """Return the network that predicts fastest what ``net`` predicts for ``sensor``, up to rounding.

    Args:
        net: On the device, channels-last, in evaluation mode; not changed.
        sensor: One that it knows; the result is for no other.
        settings: Device and precision.
    """
    net = folded(net, sensor)
    return fused(net, sensor, getattr(torch, settings.precision)) if settings.on_cpu else net


def predictions(
    net: SegmentationNetwork, batches: Generator[Batch, None, None], settings: WindowSettings
) -> Generator[Predicted, None, None]:
    """Yield the predictions of batches of ``settings.rows`` windows, in their order.

    On CPU PyTorch's threads (``torch.get_num_threads()``) are divided among the windows under way.
    """
    threads = torch.get_num_threads()
    streams = min(threads, settings.batch) if settings.on_cpu else 1
    predict = _Prediction(net, settings)
    # Threads that begin from now on start with this number, too.
    torch.set_num_threads(threads // streams)
    try:
        yield from side_by_side(predict.prepare(batches), predict, streams, name="map-predict")
    finally:
        torch.set_num_threads(threads)


class _Prediction:
    """Prediction of batches, each by the network that was prepared for its sensor."""

    def __init__(self, net: SegmentationNetwork, settings: WindowSettings) -> None:
        self.net, self.settings = net, settings
        self.shape = (len(bands_of(net)), settings.window_px, settings.window_px)
        self.nets: dict[str, SegmentationNetwork] = {}

    def prepare(self, batches: Generator[Batch, None, None]) -> Generator[Batch, None, None]:
        """Yield the batches, each when its network is ready."""
        with closing(batches):
            for batch in batches:
                sensor = self._sensor(batch)
                if sensor not in self.nets:
                    self.nets[sensor] = prepared(self.net, sensor, self.settings)
                yield batch

    def __call__(self, batch: Batch) -> Predicted:
        """Return the predictions of a batch; called by several threads."""
        rows = sum(part.source == "predicted" for part in batch.parts)
        if not rows:
            return batch.parts, np.empty((0, *self.shape), dtype=np.uint16)
        sensor = self._sensor(batch)
        return batch.parts, predict_windows(self.nets[sensor], batch.pixels, sensor, self.settings)[:rows]

    def _sensor(self, batch: Batch) -> str:
        return self.settings.statistics_of or batch.sensor


@torch.inference_mode()
def predict_windows(
    net: SegmentationNetwork, pixels: npt.NDArray[np.uint8], sensor: str, settings: WindowSettings
) -> FineLevels:
    """Return the fine levels (B, bands, H, W) of pixels (B, H, W, 4), all of which count as data."""
    device = torch.device(settings.device)
    values = torch.from_numpy(pixels)
    if device.type == "cuda":
        values = values.pin_memory().to(device, non_blocking=True)
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
    with mixed:
        # Channels-last without a copy.
        maps = predict_views(net, values.permute(0, 3, 1, 2), sensor, settings.views)
    building = maps.classes[:, 1:2]
    together = building if maps.contours is None else torch.cat([building, maps.contours], dim=1)
    fine = together.mul(FINE).round_().add_(1).to(torch.uint16)
    result: FineLevels = fine.cpu().numpy()
    return result
