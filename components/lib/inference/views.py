"""A network's probabilities of an image seen at another scale or in a mirror, put back where they belong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.nets.network import SegmentationNetwork

Quantity = Literal["probabilities", "logits"]


@dataclass(frozen=True, slots=True)
class View:
    """How an image is looked at.

    Up-down mirrors and turns are not offered: they would put radar layover on the wrong side (reference
    distillation 2.7).

    Attributes:
        scale: Factor on height and width; resizing is bilinear with aligned corners.
        mirrored: Left to right.
    """

    scale: float = 1.0
    mirrored: bool = False


class Seen(NamedTuple):
    """Maps of an image, probabilities or logits as asked for, float32.

    Attributes:
        classes: (B, K, H, W).
        contours: (B, 3, H, W), or None without that head.
    """

    classes: Tensor
    contours: Tensor | None


@torch.inference_mode()
def predict_view(
    net: SegmentationNetwork, x: Tensor, sensor: str, view: View, quantity: Quantity = "probabilities"
) -> Seen:
    """The network's maps of ``x`` as ``view`` shows it, on the pixels of ``x``.

    Args:
        net: Used in evaluation mode.
        x: (B, C, H, W) in uint8 units, on the network's device.
        sensor: A sensor that the network knows.
        view: Scale and mirror; the plain view changes no bit.
        quantity: Softmax (classes) and sigmoid (contours) probabilities, or logits.
    """
    seen = x
    if view.scale != 1:
        shape = [round(side * view.scale) for side in x.shape[-2:]]
        seen = F.interpolate(x.float(), shape, mode="bilinear", align_corners=True)
    if view.mirrored:
        seen = seen.flip(-1)
    maps = net.predict_maps(seen, sensor)
    classes, contours = maps.logits.float(), None if maps.contours is None else maps.contours.float()
    if quantity == "probabilities":
        classes, contours = classes.softmax(dim=1), None if contours is None else contours.sigmoid()
    return Seen(_back(classes, x, view), None if contours is None else _back(contours, x, view))


def _back(values: Tensor, x: Tensor, view: View) -> Tensor:
    if view.mirrored:
        values = values.flip(-1)
    if view.scale != 1:
        values = F.interpolate(values, x.shape[-2:], mode="bilinear", align_corners=True)
    return values
