"""One layer of a sensor, whose tiles lie in the arrays of its acquisitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[Any]


class StoredLayer:
    """All tiles of a sensor in one layer, (N, H, W, C), read by row like an array; the files are mapped.

    One row is a view of a mapped file, read-only. Several rows, by a slice or an array of them, are copied
    into one array, as NumPy copies a choice of rows.

    Args:
        paths: The files that hold the tiles, each (n, H, W, C).
        files: For each row the number of its file in ``paths``, (N,).
        positions: For each row its place in that file, (N,).

    Attributes:
        shape: (N, H, W, C).
        dtype: Number format of the pixels.
    """

    def __init__(
        self, paths: Sequence[Path], files: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]
    ) -> None:
        self._paths, self._arrays = list(paths), dict[int, Pixels]()
        self._files, self._positions = files, positions
        first = self._array(int(files[0]))
        self.dtype: np.dtype[Any] = first.dtype
        self.shape: tuple[int, int, int, int] = (len(files), *first.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def tile(self, row: int) -> Pixels:
        """Return the pixels of one row, (H, W, C), mapped.

        Raises:
            IndexError: If there is no such row.
        """
        pixels: Pixels = self._array(int(self._files[row]))[int(self._positions[row])]
        return pixels

    def __getitem__(self, key: Any) -> Pixels:  # noqa: ANN401 - whatever NumPy takes
        """Return one row, or several; a tuple goes on inside of the tile: ``layer[row, top:bottom]``."""
        rows, *inside = key if isinstance(key, tuple) else (key,)
        if isinstance(rows, int | np.integer):
            pixels: Pixels = self.tile(int(rows))[tuple(inside)]
            return pixels
        chosen = np.arange(len(self))[rows]
        if len(chosen) == 0:
            return np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *inside)]
        return np.stack([self.tile(int(row))[tuple(inside)] for row in chosen])

    def __iter__(self) -> Iterator[Pixels]:
        return (self.tile(row) for row in range(len(self)))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Pixels:
        """Return all tiles as one array in memory."""
        return self[:].astype(dtype or self.dtype, copy=False)

    def _array(self, file: int) -> Pixels:
        if file not in self._arrays:
            # Without memmap's per-slice overhead; the array holds the mapping.
            self._arrays[file] = np.asarray(np.lib.format.open_memmap(self._paths[file], mode="r"))
        return self._arrays[file]
