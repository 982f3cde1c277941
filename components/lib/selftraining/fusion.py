"""One map from several scales (docs/methods/adaptation.md#pseudo-labels)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from components.lib.inference.views import Quantity, View, predict_view
from components.lib.nets.network import SegmentationNetwork

Fusion = Literal["softmax", "logits"]
"""Quantity that is averaged: probabilities (the paper's figure, our default) or logits ("as released")."""


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
        fusion: Quantity that is averaged: softmax probabilities or logits.

    Returns:
        (B, K, H, W) float32.
    """
    quantity: Quantity = "probabilities" if fusion == "softmax" else "logits"
    total: Tensor | None = None
    for scale in scales:
        values = predict_view(net, x, sensor, View(scale), quantity).classes
        total = values if total is None else total + values
    if total is None:
        raise ValueError("scales is empty")
    return total / len(scales)
