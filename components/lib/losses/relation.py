"""Relation loss on building boundaries (BIDNet's idea; docs/methods/distillation.md).

What a boundary pixel resembles in its image is compared, teacher against student, instead of what it *is*:
similarities need neither equal features nor equal channel counts.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.losses.reduction import at_size_of, weighted_mean

ANCHORS, OTHERS = 512, 256
"""Boundary cells and random cells per image, at most; as in BIDNet's code."""

HALF = 0.5
"""Least weight of a cell that takes part."""


def relation_loss(
    student: Tensor,
    teacher: Tensor,
    boundary: Tensor,
    *,
    generator: torch.Generator,
    weight: Tensor | None = None,
    anchors: int = ANCHORS,
    others: int = OTHERS,
) -> Tensor:
    """Mean squared difference of the cosine similarities of boundary cells x random cells.

    A mean over all pairs drawn in the (global) batch; both cells of a pair are of one image. Equal for equal
    inputs and an equal state of ``generator``.

    Args:
        student: (B, C, h, w); gradients flow here only.
        teacher: (B, D, h, w).
        boundary: Non-zero on building boundaries, (B, H, W); the store's edge channel.
        generator: Draws the cells, on any device.
        weight: Weight of each pixel, (B, H, W); a cell that has less than half of it is not drawn.
        anchors: Boundary cells per image, at most.
        others: Random cells per image, at most.

    Returns:
        Scalar, float32; 0 if no image has a boundary.
    """
    on_boundary = at_size_of(boundary != 0, student).flatten(1) > 0
    usable = torch.ones_like(on_boundary)
    if weight is not None:
        usable = at_size_of(weight, student).flatten(1) >= HALF
    first, first_ok = _draw(on_boundary & usable, anchors, generator)
    second, second_ok = _draw(usable, others, generator)
    difference = _similarities(student, first, second) - _similarities(teacher.detach(), first, second)
    pairs = first_ok.unsqueeze(2) & second_ok.unsqueeze(1)
    return weighted_mean(difference.square(), pairs)


def _draw(eligible: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Up to ``count`` eligible cells per image: indices (B, n) and which of them are eligible, (B, n).

    The shapes do not depend on how many are eligible, so the host never waits for the device to count them.
    """
    keys = torch.rand(eligible.shape, generator=generator, device=generator.device)
    # At least 1 for the eligible, 0 for the rest: the rest fill up, and are told apart by the key.
    keys = (keys + 1).to(eligible.device) * eligible
    top = keys.topk(min(count, keys.shape[1]), dim=1)
    return top.indices, top.values > 0


def _similarities(features: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Cosine similarities (B, n, m) of the cells ``first`` (B, n) and ``second`` (B, m)."""
    cells = F.normalize(features.float().flatten(2), dim=1)

    def pick(index: Tensor) -> Tensor:
        return cells.gather(2, index.unsqueeze(1).expand(-1, cells.shape[1], -1))

    return pick(first).transpose(1, 2) @ pick(second)
