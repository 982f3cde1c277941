"""Crops from layers that lie on the training device whole: what travels per step is three numbers a crop."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from components.contract.errors import ResourceError
from components.lib.store.layer import StoredLayer
from components.lib.store.sampler import CropSampler, Window

SHARE = 0.8
"""The layers' largest share of the device's free memory; networks, activations and batches need the rest."""

_MEMINFO = Path("/proc/meminfo")
_UPLOAD_BYTES = 64 * 2**20
_ITEMS = {4: torch.int32, 8: torch.int64}


class DeviceSampler:
    """Batches of a :class:`CropSampler`, bit for bit, cut on the device.

    The layers are copied there once, the rows that crops are drawn from only. Cropping, mirroring and turning
    are one gather per layer and batch. The host's sampler places the crops, so that both routes
    resume and repeat alike.

    Args:
        host: Chooses layers, rows and windows.
        device: Device of the layers.

    Attributes:
        batch_size: Crops per batch.

    Raises:
        ResourceError: If the layers do not fit into ``SHARE`` of the device's free memory.
    """

    def __init__(self, host: CropSampler, device: torch.device) -> None:
        self._host, self._device = host, device
        self.batch_size = host.batch_size
        layers = {name: plane.pixels for name, plane in host.layers.items()}
        self._rows = np.unique(host.rows)
        self._height, self._width = next(iter(layers.values())).shape[1:3]
        needed = sum(len(self._rows) * layer[0].nbytes for layer in layers.values())
        require_device_memory(needed, device)
        self._layers = {name: _upload(layer, self._rows, device) for name, layer in layers.items()}
        self._steps = torch.arange(host.crop, device=device)

    def windows(self, step: int) -> list[Window]:
        """Return the places of the crops of one step."""
        return self._host.windows(step)

    def batch(self, step: int) -> dict[str, Tensor]:
        """Return one step's batch: for each layer (batch, C, crop, crop) on the device, channels-last."""
        lines = torch.from_numpy(self._lines(self.windows(step)))
        if self._device.type == "cuda":
            # A thread starts on GPU 0, where several processes would each open a context.
            with torch.cuda.device(self._device):
                lines = lines.pin_memory().to(self._device, non_blocking=True)
        start, down, right = lines.unsqueeze(-1).unsqueeze(-1).unbind(1)
        places = (start + down * self._steps[:, None] + right * self._steps).reshape(-1)
        crop = self._host.crop
        batch = {}
        for name, layer in self._layers.items():
            crops = layer.pixels.index_select(0, places).view(layer.dtype)
            batch[name] = crops.view(self.batch_size, crop, crop, layer.channels).permute(0, 3, 1, 2)
        return batch

    def _lines(self, windows: Sequence[Window]) -> npt.NDArray[np.int64]:
        """Return for each crop the flat place of its first pixel, and the strides down and right, (B, 3)."""
        slots = np.searchsorted(self._rows, [window.row for window in windows])
        lines = np.empty((len(windows), 3), dtype=np.int64)
        for i, (slot, window) in enumerate(zip(slots.tolist(), windows, strict=True)):
            first, below, beside = (
                (slot * self._height + y) * self._width + x
                for y, x in (_source(window, self._host.crop, *at) for at in ((0, 0), (1, 0), (0, 1)))
            )
            lines[i] = first, below - first, beside - first
        return lines


class _Resident:
    """One layer on the device, as single items per pixel where four channels make one."""

    def __init__(self, pixels: Tensor) -> None:
        self.channels, self.dtype = pixels.shape[-1], pixels.dtype
        flat = pixels.view(-1, self.channels)
        self.pixels = flat.view(_ITEMS[4 * flat.itemsize]) if self.channels == 4 else flat


def _source(window: Window, crop: int, down: int, right: int) -> tuple[int, int]:
    """Row and column in the tile of the pixel that ends ``down``, ``right`` in the finished crop."""
    last = crop - 1
    y, x = ((down, right), (right, last - down), (last - down, last - right), (last - right, down))[
        window.turns
    ]
    return window.y + y, window.x + (last - x if window.flip else x)


def _upload(layer: StoredLayer, rows: npt.NDArray[np.int64], device: torch.device) -> _Resident:
    tile = torch.from_numpy(layer[rows[:1]])
    try:
        pixels = torch.empty((len(rows), *tile.shape[1:]), dtype=tile.dtype, device=device)
    except torch.OutOfMemoryError as error:
        raise _too_large(len(rows) * tile.nbytes, free_memory(device), device) from error
    at_once = max(1, _UPLOAD_BYTES // tile.nbytes)
    for start in range(0, len(rows), at_once):
        pixels[start : start + at_once].copy_(torch.from_numpy(layer[rows[start : start + at_once]]))
    return _Resident(pixels)


def require_device_memory(needed: int, device: torch.device) -> None:
    """Check that layers of ``needed`` bytes leave room for training on ``device``.

    Raises:
        ResourceError: If they take more than ``SHARE`` of its free memory, naming both.
    """
    free = free_memory(device)
    if needed > SHARE * free:
        raise _too_large(needed, free, device)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on ``device``."""
    if device.type == "cuda":
        # What PyTorch holds in reserve counts as taken by the driver, but can be allocated.
        reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserve
    if _MEMINFO.exists():  # unlike the count of free pages it adds what the page cache would give up
        facts = dict(line.split(":") for line in _MEMINFO.read_text().splitlines())
        return int(facts["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _too_large(needed: int, free: int, device: torch.device) -> ResourceError:
    return ResourceError(
        f"training.store is device, but the train tiles take {needed:,} bytes and {device} has {free:,} "
        f"free, of which the store may fill {SHARE:.0%}",
        next_step="set training.store to host in params.yaml, or train on a device with more memory",
    )
