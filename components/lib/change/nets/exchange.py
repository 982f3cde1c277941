"""Exchange of features between two dates, without parameters (SGSLN, and Changer, Fang et al., TGRS 2023)."""

from __future__ import annotations

import torch
from torch import Tensor


def exchange_channels(first: Tensor, second: Tensor, every: int = 2) -> tuple[Tensor, Tensor]:
    """Swap one in ``every`` channels between the dates: with 2 those of odd index (SGSLN).

    Twice is as never. Gradients follow the channels to the date that they came from.

    Args:
        first: Features of one date, (B, C, H, W).
        second: Those of the other date.
        every: Channels of index ``every - 1`` modulo ``every`` change places.
    """
    index = torch.arange(first.shape[1], device=first.device) % every == every - 1
    return _exchanged(first, second, index.view(1, -1, 1, 1))


def exchange_columns(first: Tensor, second: Tensor, every: int = 2) -> tuple[Tensor, Tensor]:
    """Swap one in ``every`` columns of the maps between the dates (Changer's exchange in space).

    Args and returns as :func:`exchange_channels`.
    """
    index = torch.arange(first.shape[3], device=first.device) % every == every - 1
    return _exchanged(first, second, index.view(1, 1, 1, -1))


def _exchanged(first: Tensor, second: Tensor, moved: Tensor) -> tuple[Tensor, Tensor]:
    return torch.where(moved, second, first), torch.where(moved, first, second)
