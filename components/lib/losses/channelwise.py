"""Channel-wise distillation (Shu et al., ICCV 2021): where a channel responds, not how strongly.

Pixelwise equality of features is the wrong demand across sensors (docs/methods/distillation.md). Here each
channel of a feature becomes a distribution over the image, and the student's is drawn to the teacher's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from components.lib.losses.reduction import at_size_of, weighted_mean

_OUTSIDE = -1e4
"""Logit of a cell without weight: its probability is exactly 0, and finite arithmetic keeps NaN away."""


def channelwise_distillation(
    student: Tensor, teacher: Tensor, *, temperature: float = 4.0, weight: Tensor | None = None
) -> Tensor:
    """Return ``T^2 * KL(softmax(teacher / T) || softmax(student / T))``, softmax over each channel's space.

    A mean over channels and over the images that have any weight, each counting once; so it neither grows
    with the batch nor with the map.

    Args:
        student: (B, C, h, w); gradients flow here only.
        teacher: (B, C, h, w).
        temperature: T; the higher, the more of the map beside its maximum counts. 4 in the paper's features.
        weight: Weight of each pixel, (B, H, W); cells weigh their mean, in both distributions alike.

    Returns:
        Scalar, float32.
    """
    scaled_student = student.float().flatten(2) / temperature
    scaled_teacher = teacher.detach().float().flatten(2) / temperature
    seen = None
    if weight is not None:
        prior = at_size_of(weight, student).flatten(1)
        seen = prior.sum(dim=1) > 0
        offset = torch.where(prior > 0, prior.clamp_min(1e-30).log(), _OUTSIDE).unsqueeze(1)
        scaled_student, scaled_teacher = scaled_student + offset, scaled_teacher + offset
    log_p = scaled_teacher.log_softmax(dim=2)
    divergence = (log_p.exp() * (log_p - scaled_student.log_softmax(dim=2))).sum(dim=2).mean(dim=1)
    return temperature**2 * weighted_mean(divergence, seen)
