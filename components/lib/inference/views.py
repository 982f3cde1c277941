"""Views of an image, and test-time augmentation: the mean of a network's probabilities over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.nets.network import SegmentationNetwork

Quantity = Literal["probabilities", "logits"]


@dataclass(frozen=True, slots=True)
class View:
    """One way to present an image to a network.

    Turns are for optical images alone: they would put radar layover on the wrong side
    (docs/methods/spacenet6.md).

    Attributes:
        scale: Factor on height and width; resizing is bilinear with aligned corners.
        mirrored: Left to right.
        turns: Quarter turns, anticlockwise, after the mirror; with it two turns are the up-down mirror.
    """

    scale: float = 1.0
    mirrored: bool = False
    turns: int = 0


PLAIN = (View(),)
"""The image once, as it is."""


class Prediction(NamedTuple):
    """Class and contour maps of a batch of images, float32; probabilities, or logits as asked for.

    Attributes:
        classes: (B, K, H, W).
        contours: (B, 3, H, W), or None where the network has no contour head.
    """

    classes: Tensor
    contours: Tensor | None


def views_of(scales: Sequence[float], *, flip: bool, turn: bool = False) -> tuple[View, ...]:
    """Return every scale as it is, then, with ``flip``, every scale in the left-right mirror.

    With ``turn`` all these are followed by the same in one, two and three quarter turns: with ``flip`` the
    eight views of PP-LinkNet (docs/methods/pp_linknet.md). The first winner of SpaceNet 6 averaged the scales
    0.8, 1.0 and 1.5, each with its mirror image (docs/methods/spacenet6.md), which costs nine times the plain
    forward pass.
    """
    return tuple(
        View(scale, mirrored, turns)
        for turns in range(4 if turn else 1)
        for mirrored in (False, True)[: 1 + flip]
        for scale in scales
    )


@torch.inference_mode()
def predict_view(
    net: SegmentationNetwork, x: Tensor, sensor: str, view: View, quantity: Quantity = "probabilities"
) -> Prediction:
    """Predict ``x`` as ``view`` presents it, and put the maps back on the pixels of ``x``.

    Args:
        net: Used in evaluation mode.
        x: (B, C, H, W) in uint8 units, on the network's device.
        sensor: A sensor that the network knows.
        view: Scale, mirror and turns; the plain view changes no bit.
        quantity: Softmax (classes) and sigmoid (contours) probabilities, or logits.
    """
    image = x
    if view.scale != 1:
        shape = [round(side * view.scale) for side in x.shape[-2:]]
        image = F.interpolate(x.float(), shape, mode="bilinear", align_corners=True)
    if view.mirrored:
        image = image.flip(-1)
    if view.turns:
        image = image.rot90(view.turns, (-2, -1))
    maps = net.predict_maps(image, sensor)
    classes, contours = maps.logits.float(), None if maps.contours is None else maps.contours.float()
    if quantity == "probabilities":
        classes, contours = classes.softmax(dim=1), None if contours is None else contours.sigmoid()
    return Prediction(_back(classes, x, view), None if contours is None else _back(contours, x, view))


@torch.inference_mode()
def predict_views(net: SegmentationNetwork, x: Tensor, sensor: str, views: Sequence[View]) -> Prediction:
    """Return the mean probabilities over the views; with one plain view exactly the network's own.

    Args:
        net: Used in evaluation mode.
        x: (B, C, H, W) in uint8 units, on the network's device.
        sensor: A sensor that the network knows.
        views: At least one.
    """
    first, *others = views
    classes, contours = predict_view(net, x, sensor, first)
    for view in others:
        prediction = predict_view(net, x, sensor, view)
        classes = classes + prediction.classes
        if contours is not None and prediction.contours is not None:
            contours = contours + prediction.contours
    return Prediction(classes / len(views), None if contours is None else contours / len(views))


def _back(values: Tensor, x: Tensor, view: View) -> Tensor:
    if view.turns:
        values = values.rot90(-view.turns, (-2, -1))
    if view.mirrored:
        values = values.flip(-1)
    if view.scale != 1:
        values = F.interpolate(values, x.shape[-2:], mode="bilinear", align_corners=True)
    return values
