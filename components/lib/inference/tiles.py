"""Probability of the target in whole images, window by window as in the SpaceNet 6 baseline.

The baseline's windows: docs/methods/spacenet6.md, "CosmiQ baseline".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from components.contract.errors import BadDataError
from components.lib.geo.geoarray import GeoArray
from components.lib.inference.views import PLAIN, View, predict_views
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store
from components.lib.tasks.labels import BAND_OF, LABELS_OF
from components.lib.tasks.names import TaskName

Float32 = npt.NDArray[np.float32]

WINDOW_PX, BATCH = 512, 8
"""Side of a prediction window in pixels, and windows per forward pass, where the caller says nothing."""


def window_starts(length: int, window: int) -> list[int]:
    """Return the starts of windows covering ``length`` pixels without gaps, the last flush with the edge.

    >>> window_starts(900, 512)
    [0, 388]
    """
    if length <= window:
        return [0]
    return [*range(0, length - window, window), length - window]


def bands_of(net: SegmentationNetwork) -> tuple[str, ...]:
    """Return the names of a prediction's bands: the class map's, and the contour head's if there is one."""
    task: TaskName = net.config.task
    return (BAND_OF[task], *LABELS_OF[task]) if net.config.contours else (BAND_OF[task],)


def require_task(net: SegmentationNetwork, store: Store) -> None:
    """Check that a network predicts what a store has labels of.

    Raises:
        BadDataError: If it does not.
    """
    if net.config.task != store.task:
        raise BadDataError(
            f"the network predicts {net.config.task}, and {store.folder} has labels of {store.task}",
            next_step="set prepare.task and run `dvc repro`, so that store and models belong together",
        )


def predict_tiles(
    net: SegmentationNetwork,
    store: Store,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    *,
    window_px: int = WINDOW_PX,
    batch: int = BATCH,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
    views: Sequence[View] = PLAIN,
) -> Iterator[tuple[int, GeoArray]]:
    """Yield each tile's row and its prediction.

    Args:
        net: Any network of :mod:`components.lib.nets`; its modality says which layer is read.
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        rows: Rows of the sensor's arrays.
        window_px: As for :func:`predict_images`, as are the others.
        batch: Windows per forward pass.
        device: Device of the computation.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.
        views: Views of each window that are averaged.

    Raises:
        BadDataError: If the store has labels of another task than the network's.
    """
    require_task(net, store)
    layer = "optical" if net.config.modality == "optical" else "sar"
    numbers = [int(row) for row in rows]
    predictions = predict_images(
        net,
        (store.tile(sensor, row, layer) for row in numbers),
        window_px=window_px,
        batch=batch,
        device=device,
        statistics_of=statistics_of,
        views=views,
    )
    yield from zip(numbers, predictions, strict=True)


def predict_images(
    net: SegmentationNetwork,
    images: Iterable[GeoArray],
    *,
    window_px: int = WINDOW_PX,
    batch: int = BATCH,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
    views: Sequence[View] = PLAIN,
) -> Iterator[GeoArray]:
    """Yield the prediction of each image on the image's own pixels, 0 where it has no data.

    Args:
        net: Any network of :mod:`components.lib.nets`.
        images: Pixels in uint8 units, bands in the network's order, all of one size and sensor.
        window_px: Side of a window, pixels; overlapping windows are averaged.
        batch: Windows per forward pass.
        device: Device of the computation; the network is moved there.
        statistics_of: Sensor whose normalisation statistics the network uses, by default the images' own.
        views: Views of each window that are averaged.

    Yields:
        Probabilities, float32, in the bands of :func:`bands_of`.

    Raises:
        ParameterError: If the network carries no statistics for the sensor.
        ValueError: If the images differ in size.
    """
    net = net.to(device).eval()
    images = iter(images)
    while (first := next(images, None)) is not None:
        height, width = first.shape
        size = (min(height, window_px), min(width, window_px))
        corners = [(y, x) for y in window_starts(height, size[0]) for x in window_starts(width, size[1])]
        chunk = [first, *islice(images, max(1, batch // len(corners)) - 1)]
        if any(image.shape != first.shape for image in chunk):
            raise ValueError("images that are predicted together must have one size")
        windows = np.stack([_window(image, corner, size) for image in chunk for corner in corners])
        sensor = statistics_of or first.sensor
        probabilities = np.concatenate(
            [
                _forward(net, windows[i : i + batch], device, sensor, views)
                for i in range(0, len(windows), batch)
            ]
        )
        per_image = probabilities.reshape(len(chunk), len(corners), *probabilities.shape[1:])
        for image, parts in zip(chunk, per_image, strict=True):
            stitched = _average(parts, corners, (height, width))
            stitched[:, ~image.valid] = 0
            yield image.with_values(stitched, bands_of(net)[: len(stitched)])


def _window(image: GeoArray, corner: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.generic]:
    """Pixels (h, w, C) of a window: channels last, as the store has them."""
    y, x = corner
    return np.ascontiguousarray(np.moveaxis(image.values[:, y : y + size[0], x : x + size[1]], 0, -1))


def _forward(
    net: SegmentationNetwork,
    windows: npt.NDArray[np.generic],
    device: torch.device | str,
    sensor: str,
    views: Sequence[View],
) -> Float32:
    """(B, h, w, C) windows to (B, 1 or 4, h, w) probabilities: the target, and contours if there are."""
    with torch.inference_mode():
        pixels = torch.from_numpy(windows).to(device).permute(0, 3, 1, 2)  # channels-last without a copy
        maps = predict_views(net, pixels, sensor, views)
        target = maps.classes[:, 1:2]
        together = target if maps.contours is None else torch.cat([target, maps.contours], dim=1)
    probabilities: Float32 = together.cpu().numpy()
    return probabilities


def _average(parts: Float32, corners: list[tuple[int, int]], shape: tuple[int, int]) -> Float32:
    """Mean of the windows (M, C, h, w) that cover each pixel, (C, H, W)."""
    total = np.zeros((parts.shape[1], *shape), dtype=np.float32)
    count = np.zeros(shape, dtype=np.float32)
    for part, (y, x) in zip(parts, corners, strict=True):
        total[:, y : y + part.shape[1], x : x + part.shape[2]] += part
        count[y : y + part.shape[1], x : x + part.shape[2]] += 1
    return total / count
