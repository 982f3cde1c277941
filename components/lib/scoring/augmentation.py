"""Test-time augmentation: the mean over an image's scales and its left-right mirror image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from components.contract.errors import ParameterError
from components.lib.inference.views import Seen, View, predict_view
from components.lib.nets.network import SegmentationNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class TestTimeAugmentation:
    """Which views are averaged; the default is the image alone.

    The first winner's were scales 0.8, 1.0, 1.5, each with its mirror image (reference distillation 2.7),
    which costs nine times the plain forward pass.

    Attributes:
        scales: Factors on height and width, each at most once.
        flip: Whether every scale is seen in the mirror too.
    """

    __test__ = False  # not a test, whatever pytest reads into the name

    scales: tuple[float, ...] = (1.0,)
    flip: bool = False

    def __post_init__(self) -> None:
        if not self.scales or len(set(self.scales)) != len(self.scales):
            raise _bad(f"scales {self.scales} must be distinct and at least one")
        if any(not 0.25 <= scale <= 4 for scale in self.scales):
            raise _bad(f"scales {self.scales} must lie between 0.25 and 4")

    @property
    def views(self) -> list[View]:
        """All views, the plain ones first."""
        return [View(scale, mirrored) for mirrored in (False, True)[: 1 + self.flip] for scale in self.scales]


@torch.inference_mode()
def predict_augmented(
    net: SegmentationNetwork, x: Tensor, sensor: str, augmentation: TestTimeAugmentation
) -> Seen:
    """Mean probabilities over the views; with one plain view exactly the network's own.

    Args:
        net: Used in evaluation mode.
        x: (B, C, H, W) in uint8 units, on the network's device.
        sensor: A sensor that the network knows.
        augmentation: Which views.

    """
    classes: Tensor | None = None
    contours: Tensor | None = None
    views = augmentation.views
    for view in views:
        seen = predict_view(net, x, sensor, view)
        classes = seen.classes if classes is None else classes + seen.classes
        if seen.contours is not None:
            contours = seen.contours if contours is None else contours + seen.contours
    assert classes is not None
    return Seen(classes / len(views), None if contours is None else contours / len(views))


def _bad(reason: str) -> ParameterError:
    return ParameterError(f"test-time augmentation: {reason}", next_step="correct the scales in params.yaml")
