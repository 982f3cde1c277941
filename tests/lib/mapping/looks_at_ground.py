"""Scenes and networks of the mapping tests: pixels in memory, and a network whose output is known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from components.lib.geo.grid import Grid
from components.lib.mapping.blocks import Box
from components.lib.mapping.scene import Pixels, SceneFacts
from components.lib.nets.config import NetworkConfig
from components.lib.nets.network import Maps, SegmentationNetwork
from components.lib.tasks.names import TaskName

AIRBORNE, SPACEBORNE = "simulated-airborne", "simulated-spaceborne"

FACTS = SceneFacts(
    name="test", sensor=AIRBORNE, modality="sar", crs="EPSG:32631", orientation=0, acquired=None, sources=(),
    simulated=True,
)  # fmt: skip


@dataclass
class PixelScene:
    """Scene of pixels (H, W, 4) in memory, which counts what is read."""

    pixels: Pixels
    facts: SceneFacts = FACTS
    reads: list[Box] = field(default_factory=list)

    @property
    def grid(self) -> Grid:
        height, width = self.pixels.shape[:2]
        return Grid(x_left_m=0.0, y_top_m=0.0, gsd_m=0.5, height=height, width=width)

    def read(self, box: Box) -> Pixels:
        self.reads.append(box)
        whole = Box(0, 0, *self.pixels.shape[:2])
        shared = box.shared(whole)
        pixels = np.zeros((*box.shape, 4), dtype=np.uint8)
        pixels[shared.within(box)] = self.pixels[shared.within(whole)]
        return pixels


def random_scene(height: int, width: int, seed: int = 0, **facts: object) -> PixelScene:
    """Scene of random pixels, all of which have data."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(1, 256, (height, width, 4), dtype=np.uint8)
    return PixelScene(pixels, replace(FACTS, **facts))  # type: ignore[arg-type]


class Nearby(SegmentationNetwork):
    """Network whose logit at a pixel is the weighted sum of the pixels up to ``reach`` above and left of it.

    Attributes:
        shapes: Shape of every batch that it saw.
    """

    def __init__(
        self,
        *,
        contours: bool = False,
        reach: int = 2,
        sensors: tuple[str, ...] = (AIRBORNE,),
        task: TaskName = "buildings",
    ) -> None:
        super().__init__(
            NetworkConfig(
                kind="nearby",
                encoder="none",
                sensors=sensors,
                contours=contours,
                task=task,
                sensor_specific=len(sensors) > 1,
            )
        )
        self.reach = reach
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.shapes.append(tuple(x.shape))
        values = (x.float() - 128) / 32
        score = values[:, 0].clone()
        for k in range(1, self.reach + 1):
            score[:, k:, k:] += values[:, 1, :-k, :-k] / (k + 1)
        return torch.stack([-score, score], dim=1)

    def forward_maps(self, x: Tensor) -> Maps:
        logits = self(x)
        return Maps(
            logits, torch.stack([logits[:, 1] / k for k in (1, 2, 3)], 1) if self.config.contours else None
        )

    def supervised_maps(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self(x),)
