"""Reading of a store of pairs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.contract.errors import MissingInputError, ParameterError
from components.lib.change.pair import Pixels
from components.lib.change.store.layout import LAYERS, SPLITS, TRANSFORM_COLUMNS, StoreFacts, layer_path
from components.lib.change.store.validation import checked_store, read_buildings
from components.lib.geo.geoarray import PixelTransform


class PairStore:
    """A store of pairs, opened for reading: checked without reading a pixel; layers are mapped.

    Example:
        >>> store = PairStore.open(Path("data/pairs"))
        >>> rows = store.rows("train")
        >>> tile = store.layer("before_optical")[rows[0]]  # (H, W, 3)

    Attributes:
        folder: Folder of the store.
        facts: Facts of the data set.
        index: One row per tile, columns ``INDEX_COLUMNS``; the row's number is its row in every layer.
        layers: Names of the layers that the store has.
    """

    def __init__(self, folder: Path, facts: StoreFacts, index: pd.DataFrame, layers: tuple[str, ...]) -> None:
        self.folder, self.facts, self.index, self.layers = folder, facts, index, layers
        self._mapped: dict[str, Pixels] = {}

    @classmethod
    def open(cls, folder: Path) -> PairStore:
        """Open the store in ``folder``.

        Raises:
            MissingInputError: If there is none, or a part of it is missing.
            BadDataError: If a table or an array is damaged, or they do not fit together; the file is named.
        """
        return cls(folder, *checked_store(folder))

    @cached_property
    def buildings(self) -> pd.DataFrame:
        """One row per changed building, columns ``BUILDING_COLUMNS``; empty where none is known."""
        return read_buildings(self.folder)

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Return the rows of a split, ascending; empty if the data set has no such split.

        Raises:
            ParameterError: If there is no split of that name.
        """
        if split not in SPLITS:
            raise ParameterError(f"unknown split {split!r}", next_step=f"use one of {', '.join(SPLITS)}")
        return np.flatnonzero(self.index["split"] == split).astype(np.int64)

    def layer(self, layer: str) -> Pixels:
        """Return a layer, (N, H, W, C) uint8, mapped read-only.

        Raises:
            ParameterError: If there is no layer of that name.
            MissingInputError: If the data set has no such images.
        """
        if layer not in LAYERS:
            raise ParameterError(f"unknown layer {layer!r}", next_step=f"use one of {', '.join(LAYERS)}")
        if layer not in self.layers:
            raise MissingInputError(
                f"data set {self.facts.data_set} in {self.folder} has no layer {layer!r}",
                next_step=f"choose from {', '.join(self.layers)}, or prepare another data set",
            )
        if layer not in self._mapped:
            # Without memmap's per-slice overhead; the array holds the mapping.
            self._mapped[layer] = np.asarray(
                np.lib.format.open_memmap(layer_path(self.folder, layer), mode="r")
            )
        return self._mapped[layer]

    def names(self, split: str) -> list[str]:
        """Return the names of a split's pairs in the order of their rows.

        Raises:
            ParameterError: If there is no split of that name.
        """
        return list(dict.fromkeys(self.index["name"].iloc[self.rows(split)]))

    def tiles_of(self, name: str) -> pd.DataFrame:
        """Return the part of the index that belongs to a pair.

        Raises:
            ParameterError: If the store has no such pair.
        """
        tiles = self.index.iloc[self._rows_of.get(name, [])]
        if tiles.empty:
            raise ParameterError(
                f"{self.folder} has no pair {name!r}", next_step="use a name of its index.parquet"
            )
        return tiles

    def whole(self, layer: str, name: str) -> Pixels:
        """Return a layer of a whole pair, (H, W, C), put together from its tiles without their padding.

        Raises:
            ParameterError: If there is no such layer or pair.
            MissingInputError: If the data set has no such images.
        """
        return joined(self.tiles_of(name), self.layer(layer))

    def place(self, row: int) -> PixelTransform | None:
        """Return the map from pixels of a tile to its ``crs``; None where the place is unknown."""
        numbers = self.index.loc[row, list(TRANSFORM_COLUMNS)].to_numpy(np.float64)
        return PixelTransform(*numbers.tolist()) if np.isfinite(numbers).all() else None

    @cached_property
    def _rows_of(self) -> dict[str, list[int]]:
        return {str(name): list(rows) for name, rows in self.index.groupby("name").indices.items()}


def joined(tiles: pd.DataFrame, pixels: Pixels) -> Pixels:
    """Return the pair, (H, W, C), whose tiles are rows of ``pixels``, (N, side, side, C), without padding.

    Args:
        tiles: Part of the index that belongs to the pair.
        pixels: All tiles by row; any layer, or a network's output on the store's tiles.
    """
    height = int((tiles["y_px"] + tiles["height"]).max())
    width = int((tiles["x_px"] + tiles["width"]).max())
    whole: Pixels = np.zeros((height, width, pixels.shape[-1]), pixels.dtype)
    columns = ["row", "x_px", "y_px", "height", "width"]
    for row, x, y, tile_height, tile_width in tiles[columns].itertuples(index=False, name=None):
        whole[y : y + tile_height, x : x + tile_width] = pixels[row, :tile_height, :tile_width]
    return whole
