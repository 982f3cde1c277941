"""Noise of colour, brightness, sharpness and grain: one kind for some of the crops, the same for both dates.

SGSLN's code draws one of six kinds. How strong each is was not published with it: the bounds here are ours,
near the defaults of the library that it uses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

KINDS = ("grain", "colour", "brightness", "gamma", "emboss", "blur")
"""Gaussian noise, hue and saturation, brightness and contrast, gamma, emboss, motion blur."""

KERNEL_PX = 7
"""Side of the filters of ``emboss`` and ``blur``."""

Arrays = Mapping[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]]

# From RGB to brightness and two colour axes (YIQ), in which a change of hue is a turn.
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_GREATEST_TURN, _GREATEST_SATURATION, _GREATEST_SHIFT = math.radians(40), 0.3, 20.0
_GREATEST_GAIN, _GREATEST_GAMMA, _GRAIN = 0.2, 0.2, (3.0, 7.0)


def draw_noise(random: np.random.Generator, count: int, probability: float) -> Arrays:
    """Draw the noise of ``count`` crops.

    Args:
        random: Generator of the step.
        count: Number of crops.
        probability: Chance of a crop to get one of ``KINDS``.

    Returns:
        ``levels`` (count, 4): gain, offset, exponent, standard deviation of the grain, uint8 units;
        ``colours`` (count, 3, 3): matrix on R, G, B; ``filters`` (count, 7, 7); all neutral but for what was
        drawn. ``grains`` (count,) int64: seeds.
    """
    chosen = np.where(random.random(count) < probability, random.integers(0, len(KINDS), count), -1)
    draws, grains = random.random((count, 4)), random.integers(0, 2**31, count)
    levels = np.tile(np.array([1.0, 0.0, 1.0, 0.0]), (count, 1))
    colours = np.tile(np.eye(3), (count, 1, 1))
    filters = np.zeros((count, KERNEL_PX, KERNEL_PX))
    filters[:, KERNEL_PX // 2, KERNEL_PX // 2] = 1.0
    for crop, kind in enumerate(chosen):
        share, signed = draws[crop], 2 * draws[crop] - 1
        match KINDS[kind] if kind >= 0 else None:
            case "grain":
                levels[crop, 3] = _GRAIN[0] + (_GRAIN[1] - _GRAIN[0]) * share[0]
            case "colour":
                colours[crop] = _colour(_GREATEST_TURN * signed[0], 1 + _GREATEST_SATURATION * signed[1])
                levels[crop, 1] = _GREATEST_SHIFT * signed[2]
            case "brightness":
                gain = 1 + _GREATEST_GAIN * signed[0]
                levels[crop, :2] = gain, 255 * (0.5 * (1 - gain) + _GREATEST_GAIN * signed[1])
            case "gamma":
                levels[crop, 2] = 1 + _GREATEST_GAMMA * signed[0]
            case "emboss":
                filters[crop] = _emboss(0.2 + 0.3 * share[0], 0.2 + 0.5 * share[1])
            case "blur":
                filters[crop] = _line(math.pi * share[0], 3 + 2 * int(3 * share[1]))
    return {
        "levels": levels.astype(np.float32),
        "colours": colours.astype(np.float32),
        "filters": filters.astype(np.float32),
        "grains": grains,
    }


def noisy(image: Tensor, noise: Mapping[str, Tensor], *, colour: bool) -> Tensor:
    """Return an image with the noise that was drawn; pixels without data stay so.

    Args:
        image: (B, C, H, W) uint8.
        noise: Result of :func:`draw_noise` on the image's device.
        colour: True for R, G, B. Other images (radar) get grain, brightness, contrast and gamma alone (ours).

    Returns:
        (B, C, H, W) uint8.
    """
    values = image.float()
    if colour:
        values = torch.einsum("bij,bjhw->bihw", noise["colours"], _filtered(values, noise["filters"]))
    gain, offset, exponent, grain = noise["levels"].view(-1, 4, 1, 1, 1).unbind(dim=1)
    values = (values * gain + offset).clamp(0, 255)
    values = 255 * (values / 255) ** exponent
    values = values + grain * grain_field(noise["grains"], image.shape[1:])
    has_data = image.any(dim=1, keepdim=True)
    return (values.round().clamp(0, 255) * has_data).to(torch.uint8)


def grain_field(seeds: Tensor, shape: torch.Size) -> Tensor:
    """Return noise of mean 0 and standard deviation 1, (B, *shape), a function of the seeds alone.

    Each value is the sum of the four bytes of a hash of seed and place (close to normal), so that CPU, GPU
    and any number of processes draw the same.
    """
    place = torch.arange(math.prod(shape), device=seeds.device, dtype=torch.int64)
    hashed = (seeds.view(-1, 1) * 0x9E3779B1 + place) & 0xFFFFFFFF
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        hashed = ((hashed ^ (hashed >> shift)) * factor) & 0xFFFFFFFF
    total = sum(((hashed >> shift) & 255) for shift in (0, 8, 16, 24))
    assert isinstance(total, Tensor)
    return ((total - 510) / math.sqrt((256**2 - 1) / 3)).to(torch.float32).view(-1, *shape)


def _filtered(values: Tensor, filters: Tensor) -> Tensor:
    """Convolve each crop with its own filter; the edge is repeated."""
    count, bands, height, width = values.shape
    margin = KERNEL_PX // 2
    padded = F.pad(values, (margin,) * 4, mode="replicate").view(
        1, count * bands, *(2 * margin + n for n in (height, width))
    )
    kernels = filters.repeat_interleave(bands, dim=0).unsqueeze(1)
    return F.conv2d(padded, kernels, groups=count * bands).view(count, bands, height, width)


def _colour(turn: float, saturation: float) -> npt.NDArray[np.float64]:
    cos, sin = saturation * math.cos(turn), saturation * math.sin(turn)
    matrix: npt.NDArray[np.float64] = (
        np.linalg.inv(_YIQ) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]]) @ _YIQ
    )
    return matrix


def _emboss(share: float, strength: float) -> npt.NDArray[np.float64]:
    """Mix the image with its relief, lit from the upper left."""
    kernel = np.zeros((KERNEL_PX, KERNEL_PX))
    relief = np.array([[-1 - strength, -strength, 0], [-strength, 1, strength], [0, strength, 1 + strength]])
    kernel[2:5, 2:5] = share * relief
    kernel[3, 3] += 1 - share
    return kernel


def _line(angle: float, length: int) -> npt.NDArray[np.float64]:
    """Average over a line of ``length`` pixels through the centre."""
    kernel, middle = np.zeros((KERNEL_PX, KERNEL_PX)), KERNEL_PX // 2
    for at in np.linspace(-(length // 2), length // 2, 4 * length):
        kernel[round(middle + at * math.sin(angle)), round(middle + at * math.cos(angle))] += 1
    mean: npt.NDArray[np.float64] = kernel / kernel.sum()
    return mean
