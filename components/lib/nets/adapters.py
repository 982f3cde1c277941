"""Adapters between a student's features and its teacher's: in training only, no part of either network."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class FeatureAdapters(nn.Module):
    """Conv1x1-BN-ReLU-Conv3x3 per feature, on the student's side (reference distillation 3.3).

    Sensors have features of different kinds; what the student has need only *determine* what the teacher
    has, not equal it. Only the loss reads the result, and the module is thrown away after training.

    Args:
        channels: Of each feature, by name; the result has as many.
    """

    def __init__(self, channels: Mapping[str, int]) -> None:
        super().__init__()
        self.adapters = nn.ModuleDict({name: _adapter(count) for name, count in channels.items()})

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The adapted features, (B, C, h, w) each; those without an adapter are left out."""
        return {name: adapter(features[name]) for name, adapter in self.adapters.items()}


def _adapter(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
    )
