"""Scale jitter on the device: the one geometric change beside crops and left-right flips that radar allows.

A building's layover and shadow scale with it when both axes scale alike, and still point along image columns.
Turns, up-down flips and unequal axes would show what no radar sees (docs/methods/spacenet6.md); the sampler
offers none of them for SAR.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from components.lib.engine.batch import Batch
from components.lib.engine.parameters import source_px

_STREAM = 2**63


class ScaleJitter:
    """Scales by which crops that were cut a little too large are zoomed about their centre (:func:`zoom`).

    The sampler cuts squares of :attr:`source_px`, and each becomes ``crop`` pixels of its own scale, the same
    for all layers. A pure function of seed and step, so that a resumed run repeats nothing.

    Args:
        crop: Side of the result, pixels.
        low: Least scale; below 1 objects get smaller. The logarithm of the scale is uniform.
        high: Largest scale.
        seed: Seed of the whole sequence, 0 to 2^64 - 1.
    """

    def __init__(self, crop: int, low: float, high: float, seed: int) -> None:
        if not 0 < low <= high:
            raise ValueError(f"scales must be positive and in order, not {low} to {high}")
        self.crop, self.low, self.high, self.seed = crop, low, high, seed

    @property
    def source_px(self) -> int:
        """Side of the squares to cut, pixels: enough for the smallest scale, never less than the crop."""
        return source_px(self.crop, self.low)

    def scales(self, step: int, count: int) -> npt.NDArray[np.float32]:
        """Return the scales of the crops of ``step``, (count,)."""
        # The sampler's kind of generator, beyond the counters that the sampler uses.
        key = np.array([self.seed, _STREAM + step], dtype=np.uint64)
        share = np.random.Generator(np.random.Philox(key=key)).random(count, dtype=np.float32)
        drawn: npt.NDArray[np.float32] = np.float32(self.low) * np.float32(self.high / self.low) ** share
        return drawn


def zoom(batch: Batch, scales: Tensor, crop: int, labels: Collection[str] = ("target",)) -> Batch:
    """Return crops of their own scale, cut from the centre of larger ones.

    Args:
        batch: Layers by name, (B, C, side, side) uint8 or floating; other shapes and types pass through.
        scales: Scale of each crop, (B,) floating, on the layers' device.
        crop: Side of the result, pixels; at most ``side`` times the least scale.
        labels: Layers whose values are codes: the nearest is taken, images are interpolated.

    Returns:
        The same layers, (B, C, crop, crop) of their own type: uint8 is rounded, floating types keep what
        lies between. An image has no data (0 in every band) where the nearest pixel has none, and is not
        interpolated beside such pixels: that would invent a dark rim.
    """
    grid: Tensor | None = None
    zoomed = dict(batch)
    for name, layer in batch.items():
        if layer.ndim != 4 or not (layer.dtype == torch.uint8 or layer.is_floating_point()):
            continue
        if grid is None:
            grid = _grid(scales.to(torch.float32), crop, layer)
        zoomed[name] = sample(layer, grid, code=name in labels)
    return zoomed


def _grid(scales: Tensor, crop: int, layer: Tensor) -> Tensor:
    """Return the place of each result pixel in the source, in grid_sample's units, (B, crop, crop, 2)."""
    side = layer.shape[-1]
    offsets = torch.arange(crop, device=layer.device, dtype=torch.float32) - (crop - 1) / 2
    # 0 is the source's centre, 1 its outer edge.
    places = 2 * offsets / (scales[:, None] * side)
    size = (len(scales), crop, crop)
    return torch.stack([places[:, None, :].expand(size), places[:, :, None].expand(size)], dim=-1)


def sample(layer: Tensor, grid: Tensor, *, code: bool, beyond: str = "border") -> Tensor:
    """Return a layer at other places: images interpolated where they have data, codes the nearest.

    Args:
        layer: (B, C, H, W), uint8 or floating.
        grid: Place of each result pixel in grid_sample's units (0 the centre, 1 the outer edge), (B, h, w,
            2).
        code: True for values that must not be interpolated.
        beyond: Continuation of the layer beyond its edge: ``border`` or ``reflection``.

    Returns:
        (B, C, h, w) of the layer's type; uint8 is rounded. An image has no data where the nearest pixel has
        none.
    """
    values = layer.to(torch.float32)

    def at(pixels: Tensor, mode: str) -> Tensor:
        return F.grid_sample(pixels, grid, mode=mode, padding_mode=beyond, align_corners=False)

    nearest = at(values, "nearest")
    if not code:
        whole = at(values.any(dim=1, keepdim=True).to(torch.float32), "bilinear") > 0.999
        between = at(values, "bilinear")
        nearest = torch.where(whole, between if layer.is_floating_point() else between.round(), nearest)
    return nearest.to(layer.dtype)
