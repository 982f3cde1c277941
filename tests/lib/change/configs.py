"""Configurations of small change networks, and images for them."""

from __future__ import annotations

from typing import Any

import torch

from components.lib.change.nets.config import ChangeConfig, DateConfig

OPTICAL = DateConfig.of("optical", sensor="tiny", mean=(100.0, 110.0, 120.0), std=(40.0, 50.0, 60.0))
OTHER_DAY = DateConfig.of("optical", sensor="tiny", mean=(90.0, 80.0, 70.0), std=(30.0, 20.0, 10.0))
SAR = DateConfig.of("sar", sensor="tiny", mean=(80.0,) * 4, std=(25.0,) * 4)


def config(kind: str = "sgsln", **changes: Any) -> ChangeConfig:
    values: dict[str, Any] = {"kind": kind, "before": OPTICAL, "after": OTHER_DAY, "width": 8}
    return ChangeConfig(**(values | changes))


def image(seed: int, *, bands: int = 3, batch: int = 2, height: int = 32, width: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 256, (batch, bands, height, width), dtype=torch.uint8, generator=generator)
