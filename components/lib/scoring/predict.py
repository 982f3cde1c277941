"""Building probability of whole tiles, window by window (reference distillation.md section 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from components.lib.nets import SegmentationNetwork
from components.lib.store import Store


def window_starts(length: int, window: int) -> list[int]:
    """Starts of windows covering ``length`` pixels without gaps, the last one flush with the edge.

    >>> window_starts(900, 512)
    [0, 388]
    """
    if length <= window:
        return [0]
    return [*range(0, length - window, window), length - window]


def predict_tiles(
    net: SegmentationNetwork,
    store: Store,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    *,
    window_px: int = 512,
    batch: int = 8,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield each tile's building probability, in store orientation.

    Args:
        net: Any network of :mod:`components.lib.nets`; its modality says which layer is read.
        store: The prepared tiles.
        sensor: Whose tiles to read.
        rows: Rows of the sensor's arrays.
        window_px: Side of a window, pixels; overlapping windows are averaged.
        batch: Windows per forward pass.
        device: Where to compute; the network is moved there.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.

    Yields:
        The row and its (H, W) float32 probability, 0 where the SAR image has no data.
    """
    layer = store.layer(sensor, "optical" if net.config.modality == "optical" else "sar")
    radar = store.layer(sensor, "sar")
    height, width = layer.shape[1:3]
    size = (min(height, window_px), min(width, window_px))
    corners = [(y, x) for y in window_starts(height, size[0]) for x in window_starts(width, size[1])]
    net = net.to(device).eval()
    tiles_at_once = max(1, batch // len(corners))
    for start in range(0, len(rows), tiles_at_once):
        chunk = [int(row) for row in rows[start : start + tiles_at_once]]
        windows = np.stack([layer[r, y : y + size[0], x : x + size[1]] for r in chunk for y, x in corners])
        probabilities = [
            _forward(net, windows[i : i + batch], device, statistics_of or sensor)
            for i in range(0, len(windows), batch)
        ]
        per_tile = np.concatenate(probabilities).reshape(len(chunk), len(corners), *size)
        for row, parts in zip(chunk, per_tile, strict=True):
            tile = _average(parts, corners, (height, width))
            tile[~radar[row].any(axis=-1)] = 0
            yield row, tile


def _forward(
    net: SegmentationNetwork, windows: npt.NDArray[np.uint8], device: torch.device | str, sensor: str
) -> npt.NDArray[np.float32]:
    """(B, h, w, 4) uint8 windows to (B, h, w) float32 probabilities; the network pads by itself."""
    with torch.inference_mode():
        images = torch.from_numpy(windows).to(device).permute(0, 3, 1, 2)  # channels-last without a copy
        building = torch.softmax(net.predict(images, sensor).float(), dim=1)[:, 1]
    probabilities: npt.NDArray[np.float32] = building.cpu().numpy()
    return probabilities


def _average(
    parts: npt.NDArray[np.float32], corners: list[tuple[int, int]], shape: tuple[int, int]
) -> npt.NDArray[np.float32]:
    total = np.zeros(shape, dtype=np.float32)
    count = np.zeros(shape, dtype=np.float32)
    for part, (y, x) in zip(parts, corners, strict=True):
        total[y : y + part.shape[0], x : x + part.shape[1]] += part
        count[y : y + part.shape[0], x : x + part.shape[1]] += 1
    return total / count
