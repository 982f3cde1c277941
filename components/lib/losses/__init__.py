"""Losses of training, distillation and self-training, and where they apply.

Every loss is a mean, so its strength depends neither on the batch nor on the number of devices, and every one
takes weights per pixel where that makes sense. What each is a mean over:

- cross-entropy, symmetric cross-entropy, soft cross-entropy, logit KL, BCE of contours: pixels, by weight;
- dice (classes and contours): classes, of sums over the global batch;
- feature MSE, feature direction: named features, of cells by weight (MSE: and channels);
- channel-wise distillation: images with any weight, and channels;
- relation loss: pairs of cells drawn in an image.

The one exception is ``pixelwise_distillation``, 8 times a mean: the released recipe sums over its batch of 8.
"""

from components.lib.losses.channelwise import channelwise_distillation
from components.lib.losses.contours import CONTOUR_WEIGHTS, contour_loss
from components.lib.losses.distillation import (
    feature_direction,
    feature_mse,
    logit_kl,
    pixelwise_distillation,
    pixelwise_distillation_summed,
    soft_cross_entropy,
)
from components.lib.losses.masks import (
    TYPICAL_HEIGHT_M,
    agreement_mask,
    data_mask,
    layover_mask,
    layover_px,
    trusted_labels,
)
from components.lib.losses.reduction import global_sum, weighted_mean
from components.lib.losses.relation import relation_loss
from components.lib.losses.segmentation import IGNORE, cross_entropy, dice_loss, segmentation_loss
from components.lib.losses.symmetric import symmetric_cross_entropy

__all__ = [
    "CONTOUR_WEIGHTS",
    "IGNORE",
    "TYPICAL_HEIGHT_M",
    "agreement_mask",
    "channelwise_distillation",
    "contour_loss",
    "cross_entropy",
    "data_mask",
    "dice_loss",
    "feature_direction",
    "feature_mse",
    "global_sum",
    "layover_mask",
    "layover_px",
    "logit_kl",
    "pixelwise_distillation",
    "pixelwise_distillation_summed",
    "relation_loss",
    "segmentation_loss",
    "soft_cross_entropy",
    "symmetric_cross_entropy",
    "trusted_labels",
    "weighted_mean",
]
