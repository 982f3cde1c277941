"""One map from several scales (reference adaptation 1.7, steps 1 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.nets import SegmentationNetwork

Fusion = Literal["softmax", "logits"]
"""What is averaged: probabilities (the paper's figure, our default) or logits ("as released")."""


@torch.inference_mode()
def fuse_scales(
    net: SegmentationNetwork, x: Tensor, sensor: str, scales: Sequence[float], fusion: Fusion = "softmax"
) -> Tensor:
    """Average of the network's maps of ``x`` at several scales, each resized back.

    Args:
        net: Used in evaluation mode with the statistics of ``sensor``.
        x: (B, C, H, W) in uint8 units, on the network's device.
        sensor: A sensor that the network knows.
        scales: Factors on H and W; resizing is bilinear with aligned corners.
        fusion: Whether softmax probabilities or logits are averaged.

    Returns:
        (B, K, H, W) float32.
    """
    size = x.shape[-2:]
    total: Tensor | None = None
    for scale in scales:
        shape = [round(side * scale) for side in size]
        scaled = x if scale == 1 else F.interpolate(x.float(), shape, mode="bilinear", align_corners=True)
        values = net.predict(scaled, sensor).float()
        if fusion == "softmax":
            values = values.softmax(dim=1)
        if scale != 1:
            values = F.interpolate(values, size, mode="bilinear", align_corners=True)
        total = values if total is None else total + values
    if total is None:
        raise ValueError("scales is empty")
    return total / len(scales)
