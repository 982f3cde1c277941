"""SAR-only control: the teacher's network on SAR images with the labels alone, in the same budget."""

from __future__ import annotations

from components.lib.methods.base import SupervisedMethod


class Control(SupervisedMethod):
    """DeepLabV3+ from random (or pretrained) weights, without a teacher."""

    name = "none"
    description = "SAR only, the control"
    kind = "deeplabv3plus"


METHOD = Control()
