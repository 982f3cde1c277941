"""Random crops of pairs as a pure function of seed and step."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError, ParameterError
from components.lib.change.pair import Pixels
from components.lib.change.store.layout import LABEL, layer_name
from components.lib.change.store.store import PairStore
from components.lib.change.terms import CHANGED, UNKNOWN, Modality
from components.lib.store.sampler import CANDIDATES, MIN_DATA_SHARE, keyed_generator

_MILLION = 1_000_000


class CropPlace(NamedTuple):
    """Place of a crop: row of the tile, and first pixel row and column in it."""

    row: int
    y: int
    x: int


class PairCrops:
    """Batches of crops of both dates and the label, each a pure function of (seed, step).

    Rows are drawn without replacement: every row is used once before any is used again. Of several positions
    in a tile the first with enough known pixels is taken. As changed pixels are rare, ``change_share`` of the
    crops, spread evenly, are drawn around a changed pixel instead, from rows that have one, which are used
    without replacement among themselves.

    Pixels leave as they are stored; turning, mirroring and normalising belong to training.

    Args:
        store: The store.
        rows: Rows to draw from.
        before: Modality of the first date.
        after: Modality of the second date.
        crop: Side of a crop, pixels; at most the tile's side.
        batch: Crops per batch.
        seed: Seed of the whole sequence, 0 to 2^64 - 1.
        change_share: Share of crops that are sure to hold a changed pixel, 0 to 1. Without any change in
            ``rows`` there are none.

    Raises:
        ParameterError: If the crop does not fit into a tile, or ``change_share`` is no share.
        BadDataError: If ``rows`` is empty.
        MissingInputError: If the store has no such images.
    """

    def __init__(
        self,
        store: PairStore,
        rows: npt.NDArray[np.integer],
        *,
        before: Modality = "optical",
        after: Modality = "optical",
        crop: int,
        batch: int,
        seed: int,
        change_share: float = 0.0,
    ) -> None:
        if len(rows) == 0:
            raise BadDataError(
                f"data set {store.facts.data_set} in {store.folder} has no tile to draw crops from",
                next_step="see the splits in reports/pairs/*/details.json",
            )
        if not 0 <= change_share <= 1:
            raise ParameterError(
                f"{change_share} is no share of crops with change", next_step="use a number from 0 to 1"
            )
        self._layers = {
            "before": store.layer(layer_name("before", before)),
            "after": store.layer(layer_name("after", after)),
            "label": store.layer(LABEL),
        }
        self._side = store.facts.tile_px
        if not 1 <= crop <= self._side:
            raise ParameterError(
                f"crop {crop} does not fit into tiles of {self._side} pixels",
                next_step="use a crop of at most the tile's side, or set pairs.tile_px to at least the crop",
            )
        self.crop, self.batch_size, self.seed = crop, batch, seed
        self.rows = np.asarray(rows, dtype=np.int64)
        self.changed_rows = self.rows[store.index["changed_share"].to_numpy()[self.rows] > 0]
        # In whole millionths: sums of them are exact.
        self._millionths = round(change_share * _MILLION) if len(self.changed_rows) else 0
        self._permutation = lru_cache(maxsize=4)(self._draw_permutation)

    def batch(self, step: int, out: dict[str, Pixels] | None = None) -> dict[str, Pixels]:
        """Read the batch of one step.

        Args:
            step: Step counted from 0.
            out: Arrays to write into, as an earlier call returned them; allocated if None.

        Returns:
            ``before`` and ``after`` (batch, crop, crop, C), ``label`` (batch, crop, crop, 1), uint8.
        """
        out = out or {
            name: np.empty((self.batch_size, self.crop, self.crop, layer.shape[-1]), np.uint8)
            for name, layer in self._layers.items()
        }
        places = self.places(step)
        for name, layer in self._layers.items():
            for target, (row, y, x) in zip(out[name], places, strict=True):
                target[:] = layer[row, y : y + self.crop, x : x + self.crop]
        return out

    def places(self, step: int) -> list[CropPlace]:
        """Draw the places of the crops of one step."""
        random = keyed_generator(self.seed, 3 * step)
        draws = random.random((self.batch_size, 2 * CANDIDATES))
        return [self._place(step * self.batch_size + i, draws[i]) for i in range(self.batch_size)]

    def _place(self, number: int, draws: npt.NDArray[np.float64]) -> CropPlace:
        """Place the crop of that number in the whole sequence by numbers in [0, 1)."""
        changed = number * self._millionths // _MILLION
        if (number + 1) * self._millionths // _MILLION > changed:
            row = self._row(changed, of_changed=True)
            return CropPlace(row, *self._around_change(row, draws))
        row = self._row(number - changed, of_changed=False)
        return CropPlace(row, *self._anywhere(row, draws))

    def _row(self, position: int, *, of_changed: bool) -> int:
        rows = self.changed_rows if of_changed else self.rows
        epoch, place = divmod(position, len(rows))
        return int(self._permutation(epoch, of_changed)[place])

    def _draw_permutation(self, epoch: int, of_changed: bool) -> npt.NDArray[np.int64]:
        # Counters of steps are multiples of 3, the epochs of either kind have another remainder each.
        rows = self.changed_rows if of_changed else self.rows
        return keyed_generator(self.seed, 3 * epoch + 1 + of_changed).permutation(rows)

    def _around_change(self, row: int, draws: npt.NDArray[np.float64]) -> tuple[int, int]:
        """Return the corner of a crop around a random changed pixel, any crop that holds it alike."""
        changed = np.flatnonzero(self._layers["label"][row] == CHANGED)
        pixel = divmod(int(changed[int(draws[0] * len(changed))]), self._side)
        lowest = [max(0, at - self.crop + 1) for at in pixel]
        highest = [min(at, self._side - self.crop) for at in pixel]
        y, x = (
            low + int(draw * (high - low + 1))
            for low, high, draw in zip(lowest, highest, draws[1:3], strict=True)
        )
        return y, x

    def _anywhere(self, row: int, draws: npt.NDArray[np.float64]) -> tuple[int, int]:
        """Return the first of a few random corners whose crop is known well enough, or else the last."""
        corners = (draws.reshape(CANDIDATES, 2) * (self._side - self.crop + 1)).astype(np.int64).tolist()
        label = self._layers["label"][row]
        for y, x in corners[:-1]:
            known = label[y : y + self.crop : 4, x : x + self.crop : 4] != UNKNOWN
            if known.mean() >= MIN_DATA_SHARE:
                return y, x
        y, x = corners[-1]
        return y, x
