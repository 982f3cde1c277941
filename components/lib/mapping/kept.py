"""Predictions of windows that a later block needs again: in memory up to a bound, beyond it on disk."""

from __future__ import annotations

import os
import tempfile
from types import TracebackType
from typing import Self

import numpy as np

from components.contract.errors import ResourceError
from components.lib.mapping.allocator import mapped_zeros
from components.lib.mapping.blending import FineLevels
from components.lib.mapping.blocks import Box

Key = tuple[int, Box]
"""Number of a look, and one of its windows."""


class KeptWindows:
    """Store of predictions of one shape; what exceeds the memory lies in a nameless temporary file.

    Args:
        shape: Bands, height and width of a prediction.
        in_memory: Predictions held in memory, at most.
    """

    def __init__(self, shape: tuple[int, int, int], in_memory: int) -> None:
        self.shape = shape
        self.bytes_each = int(np.prod(shape)) * np.dtype(np.uint16).itemsize
        self.in_memory = in_memory
        self.arrays: dict[Key, FineLevels] = {}
        self.places: dict[Key, int] = {}
        self.free: list[int] = []
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self.arrays) + len(self.places)

    def put(self, key: Key, fine: FineLevels) -> None:
        """Keep a prediction.

        Raises:
            ResourceError: If the disk is full.
        """
        if len(self.arrays) < self.in_memory:
            # Mapped: what lives long would leave holes in the heap.
            self.arrays[key] = mapped_zeros(self.shape, np.uint16)
            self.arrays[key][:] = fine
            return
        place = self.free.pop() if self.free else len(self.places)
        try:
            view = np.ascontiguousarray(fine).data.cast("B")
            offset = place * self.bytes_each
            while view:
                done = os.pwrite(self._file.fileno(), view, offset)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise ResourceError(
                f"predictions that the next blocks need do not fit into {tempfile.gettempdir()}: {error}",
                next_step="free space there, or name another folder in the environment variable TMPDIR",
            ) from error
        self.places[key] = place

    def get(self, key: Key) -> FineLevels:
        """Return a prediction that was kept."""
        if key in self.arrays:
            return self.arrays[key]
        content = os.pread(self._file.fileno(), self.bytes_each, self.places[key] * self.bytes_each)
        return np.frombuffer(content, dtype=np.uint16).reshape(self.shape)

    def drop(self, key: Key) -> None:
        """Forget a prediction, so that its room can be used again."""
        if self.arrays.pop(key, None) is None:
            self.free.append(self.places.pop(key))
