"""Building probability of whole tiles, window by window (reference distillation.md section 2.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from components.lib.nets.network import SegmentationNetwork
from components.lib.scoring.augmentation import TestTimeAugmentation, predict_augmented
from components.lib.scoring.settings import PLAIN_VIEW
from components.lib.store.store import Store

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TileMaps:
    """What a network says of a tile, in store orientation; all 0 where the SAR image has no data.

    Attributes:
        row: Of the tile in the sensor's arrays.
        building: Probability of the class map, (H, W) float32.
        contours: Probabilities of footprint, edge and contact, (3, H, W) float32; None without that head.
    """

    row: int
    building: Float32
    contours: Float32 | None


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
    augmentation: TestTimeAugmentation = PLAIN_VIEW,
) -> Iterator[tuple[int, Float32]]:
    """Yield each tile's row and (H, W) building probability; args as :func:`predict_tile_maps`."""
    maps = predict_tile_maps(
        net,
        store,
        sensor,
        rows,
        window_px=window_px,
        batch=batch,
        device=device,
        statistics_of=statistics_of,
        augmentation=augmentation,
    )
    for tile in maps:
        yield tile.row, tile.building


def predict_tile_maps(
    net: SegmentationNetwork,
    store: Store,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    *,
    window_px: int = 512,
    batch: int = 8,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
    augmentation: TestTimeAugmentation = PLAIN_VIEW,
) -> Iterator[TileMaps]:
    """Yield what the network says of each tile.

    Args:
        net: Any network of :mod:`components.lib.nets`; its modality says which layer is read.
        store: The prepared tiles.
        sensor: Whose tiles to read.
        rows: Rows of the sensor's arrays.
        window_px: Side of a window, pixels; overlapping windows are averaged.
        batch: Windows per forward pass.
        device: Where to compute; the network is moved there.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.
        augmentation: Views of each window that are averaged.
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
            _forward(net, windows[i : i + batch], device, statistics_of or sensor, augmentation)
            for i in range(0, len(windows), batch)
        ]
        per_tile = np.concatenate(probabilities)
        per_tile = per_tile.reshape(len(chunk), len(corners), *per_tile.shape[1:])
        for row, parts in zip(chunk, per_tile, strict=True):
            tile = _average(parts, corners, (height, width))
            tile[:, ~radar[row].any(axis=-1)] = 0
            yield TileMaps(row, tile[0], tile[1:] if len(tile) > 1 else None)


def _forward(
    net: SegmentationNetwork,
    windows: npt.NDArray[np.uint8],
    device: torch.device | str,
    sensor: str,
    augmentation: TestTimeAugmentation,
) -> Float32:
    """(B, h, w, 4) uint8 windows to (B, 1 or 4, h, w) probabilities: building, and contours if there are."""
    with torch.inference_mode():
        images = torch.from_numpy(windows).to(device).permute(0, 3, 1, 2)  # channels-last without a copy
        maps = predict_augmented(net, images, sensor, augmentation)
        building = maps.classes[:, 1:2]
        together = building if maps.contours is None else torch.cat([building, maps.contours], dim=1)
    probabilities: Float32 = together.cpu().numpy()
    return probabilities


def _average(parts: Float32, corners: list[tuple[int, int]], shape: tuple[int, int]) -> Float32:
    """Mean of the windows (M, h, w) that cover each pixel, (M, H, W)."""
    total = np.zeros((parts.shape[1], *shape), dtype=np.float32)
    count = np.zeros(shape, dtype=np.float32)
    for part, (y, x) in zip(parts, corners, strict=True):
        total[:, y : y + part.shape[1], x : x + part.shape[2]] += part
        count[y : y + part.shape[1], x : x + part.shape[2]] += 1
    return total / count
