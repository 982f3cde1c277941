"""Writing of a store of pairs, whole or not at all, one pair in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.contract.errors import BadDataError
from components.lib.change.pair import Pair, Pixels
from components.lib.change.store.layout import (
    BUILDING_COLUMNS,
    BUILDINGS_FILE,
    INDEX_COLUMNS,
    INDEX_FILE,
    LABEL,
    LAYERS,
    SPLITS,
    STORE_FILE,
    TRANSFORM_COLUMNS,
    StoreFacts,
    layer_name,
    layer_path,
)
from components.lib.change.terms import BANDS, CHANGED, UNKNOWN
from components.lib.files import atomic_directory, write_json
from components.lib.geo.geoarray import PixelTransform

_LEAVE_OUT = "correct the pair, or leave it out"


def write_pairs(folder: Path, pairs: Iterable[Pair], facts: StoreFacts) -> pd.DataFrame:
    """Write a store, whole or not at all.

    Args:
        folder: Where the store goes; what is there is replaced.
        pairs: Pairs in the order of their rows, read one by one. The same pairs give the same bytes.
        facts: Facts of the data set; ``tile_px`` says how pairs are cut.

    Returns:
        The index, columns ``INDEX_COLUMNS``.

    Raises:
        BadDataError: If a pair is malformed or has other modalities than the first, a name occurs twice, a
            scene lies in two splits, or there is no pair.
        ResourceError: If the disk is full or cannot be written.
    """
    with pair_writer(folder, facts) as writer:
        for pair in pairs:
            writer.add(pair)
        return writer.index()


@contextmanager
def pair_writer(folder: Path, facts: StoreFacts) -> Iterator[PairWriter]:
    """Yield a writer of a new store in ``folder``, published when the block ends without an error.

    Raises:
        BadDataError: If no pair was added.
        ResourceError: If the disk is full or cannot be written.
    """
    with atomic_directory(folder) as temporary, ExitStack() as files:
        writer = PairWriter(temporary, facts, files)
        yield writer
        writer.finish()


class PairWriter:
    """Writer of a store; made by :func:`pair_writer`.

    Attributes:
        folder: Folder in which the store lies until it is published.
    """

    def __init__(self, folder: Path, facts: StoreFacts, files: ExitStack) -> None:
        self.folder, self._facts, self._files = folder, facts, files
        self._layers: dict[str, _Growing] = {}
        self._tiles: list[dict[str, Any]] = []
        self._buildings: list[tuple[str, str, str]] = []
        self._names: set[str] = set()
        self._split_of_scene: dict[str, str] = {}

    def add(self, pair: Pair) -> None:
        """Write the tiles of a pair.

        Raises:
            BadDataError: If the pair is malformed or does not fit to those before; nothing of it is written.
        """
        layers = layers_of(pair)
        self._check(pair, layers)
        if not self._layers:
            self._layers = {name: self._open(name) for name in sorted(layers)}
        side = self._facts.tile_px
        height, width = pair.label.shape
        for y in range(0, height, side):
            for x in range(0, width, side):
                tile = {
                    name: _padded(pixels[y : y + side, x : x + side], side, name)
                    for name, pixels in layers.items()
                }
                for name, pixels in tile.items():
                    self._layers[name].append(pixels)
                self._tiles.append(self._entry(pair, x, y, tile[LABEL]))
        self._buildings += [(pair.name, building.kind, building.outline.wkt) for building in pair.buildings]

    def index(self) -> pd.DataFrame:
        """Return the index of what was added so far, columns ``INDEX_COLUMNS``."""
        return pd.DataFrame(self._tiles, columns=list(INDEX_COLUMNS)).astype(dict(INDEX_COLUMNS))

    def finish(self) -> None:
        """Write headers and tables; the store in ``folder`` can be opened then, before it is published.

        Raises:
            BadDataError: If no pair was added.
        """
        if not self._tiles:
            raise BadDataError(
                f"data set {self._facts.data_set} has no usable pair",
                next_step="see why pairs were left out in "
                f"reports/pairs/{self._facts.data_set}/details.json, or name another folder",
            )
        for layer in self._layers.values():
            layer.write_header()
        self.index().to_parquet(self.folder / INDEX_FILE, index=False)
        buildings = pd.DataFrame(self._buildings, columns=list(BUILDING_COLUMNS))
        buildings.astype(dict(BUILDING_COLUMNS)).to_parquet(self.folder / BUILDINGS_FILE, index=False)
        write_json(self.folder / STORE_FILE, asdict(self._facts))

    def _open(self, name: str) -> _Growing:
        path = layer_path(self.folder, name)
        path.parent.mkdir(exist_ok=True)
        side = self._facts.tile_px
        return _Growing(self._files.enter_context(path.open("wb")), (side, side, LAYERS[name]))

    def _check(self, pair: Pair, layers: dict[str, Pixels]) -> None:
        check_pair(pair)
        if pair.name in self._names:
            raise BadDataError(f"two pairs are named {pair.name}", next_step=_LEAVE_OUT)
        if self._layers and set(layers) != set(self._layers):
            raise BadDataError(
                f"pair {pair.name} has {', '.join(sorted(layers))}, those before have "
                f"{', '.join(self._layers)}",
                next_step=_LEAVE_OUT,
            )
        split = self._split_of_scene.setdefault(pair.scene, pair.split)
        if split != pair.split:
            raise BadDataError(
                f"pair {pair.name} of scene {pair.scene} is in split {pair.split}, another one of the scene "
                f"in {split}",
                next_step="put all pairs of a scene into one split",
            )
        self._names.add(pair.name)

    def _entry(self, pair: Pair, x: int, y: int, label: Pixels) -> dict[str, Any]:
        known = int(np.count_nonzero(label != UNKNOWN))
        side = self._facts.tile_px
        place = moved(pair.place, x, y)
        return {
            "row": len(self._tiles),
            "name": pair.name,
            "scene": pair.scene,
            "split": pair.split,
            "x_px": x,
            "y_px": y,
            "height": min(side, pair.label.shape[0] - y),
            "width": min(side, pair.label.shape[1] - x),
            "known_share": known / label.size,
            "changed_share": int(np.count_nonzero(label == CHANGED)) / max(known, 1),
            "crs": pair.crs or "" if place else "",
            **dict(zip(TRANSFORM_COLUMNS, place or (np.nan,) * 6, strict=True)),
        }


def layers_of(pair: Pair) -> dict[str, Pixels]:
    """Return the layers of a pair by name, each (H, W, C)."""
    return {
        **{layer_name("before", kind): pixels for kind, pixels in pair.before.items()},
        **{layer_name("after", kind): pixels for kind, pixels in pair.after.items()},
        LABEL: pair.label[..., None],
    }


def check_pair(pair: Pair) -> None:
    """Check a pair's arrays against its declaration.

    Raises:
        BadDataError: If there is no image of a date, an array is not uint8, sizes or bands differ from what
            they should be, the label has another value, or the split is unknown.
    """
    size = pair.label.shape
    if pair.split not in SPLITS:
        raise _bad(pair, f"split {pair.split!r} is none of {', '.join(SPLITS)}")
    if pair.label.ndim != 2 or 0 in size:
        raise _bad(pair, f"its label has shape {size}, (height, width) is needed")
    for date, images in (("before", pair.before), ("after", pair.after)):
        if not images:
            raise _bad(pair, f"it has no image {date}")
        for modality, pixels in images.items():
            expected = (*size, len(BANDS[modality]))
            if pixels.shape != expected:
                raise _bad(pair, f"{modality} {date} has shape {pixels.shape}, the label asks for {expected}")
            if pixels.dtype != np.uint8:
                raise _bad(pair, f"{modality} {date} is {pixels.dtype}, uint8 is needed")
    values = np.flatnonzero(np.bincount(pair.label.ravel(), minlength=256)).tolist()
    if not {0, CHANGED, UNKNOWN}.issuperset(values):
        raise _bad(pair, f"its label has the values {values}, 0, {CHANGED} and {UNKNOWN} are known")


def moved(place: PixelTransform | None, x: int, y: int) -> PixelTransform | None:
    """Return the map from pixels of a part, whose upper-left corner is pixel (x, y) of the whole."""
    if place is None:
        return None
    c, f = place.apply(np.array([[x, y]], dtype=np.float64))[0]
    return place._replace(c=float(c), f=float(f))


class _Growing:
    """File of a layer that grows tile by tile; the count in its header is written last."""

    def __init__(self, file: IO[bytes], shape: tuple[int, int, int]) -> None:
        self._file, self._shape, self._count = file, shape, 0
        self.write_header()

    def append(self, tile: Pixels) -> None:
        self._file.write(np.ascontiguousarray(tile).data)
        self._count += 1

    def write_header(self) -> None:
        """Write the header for the tiles so far; NumPy pads it so that the first axis may grow."""
        self._file.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(np.dtype(np.uint8)),
            "fortran_order": False,
            "shape": (self._count, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
        self._file.seek(0, os.SEEK_END)
        self._file.flush()


def _padded(part: Pixels, side: int, layer: str) -> Pixels:
    """Return the part at the upper left of a tile (side, side, C) whose rest is no data."""
    if part.shape[:2] == (side, side):
        return part
    whole: npt.NDArray[np.uint8] = np.full(
        (side, side, part.shape[2]), UNKNOWN if layer == LABEL else 0, dtype=np.uint8
    )
    whole[: part.shape[0], : part.shape[1]] = part
    return whole


def _bad(pair: Pair, why: str) -> BadDataError:
    return BadDataError(f"pair {pair.name}: {why}", next_step=_LEAVE_OUT)
