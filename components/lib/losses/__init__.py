"""Losses of DisOptNet (reference distillation 1.4) and of self-training."""

from components.lib.losses.distillation import (
    feature_mse,
    pixelwise_distillation,
    pixelwise_distillation_summed,
    soft_cross_entropy,
)
from components.lib.losses.segmentation import IGNORE, cross_entropy, dice_loss, segmentation_loss

__all__ = [
    "IGNORE",
    "cross_entropy",
    "dice_loss",
    "feature_mse",
    "pixelwise_distillation",
    "pixelwise_distillation_summed",
    "segmentation_loss",
    "soft_cross_entropy",
]
