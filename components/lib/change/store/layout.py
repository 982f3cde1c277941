"""File layout of a store of pairs: names, columns, layers.

::

    store.json                data set, pixel size, licence, citation (StoreFacts)
    index.parquet             all tiles, row by row
    buildings.parquet         changed buildings of the pairs, where the data set knows them
    layers/<layer>.npy        pixels of a layer, (N, tile, tile, C) uint8; row i is the tile of row i

Pairs are cut into square tiles of one side that do not overlap, so every pixel of a pair is stored once.
Tiles at the right and lower edge are padded with no data: images 0, label ``UNKNOWN``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from components.lib.change.terms import BANDS, Modality

STORE_FILE = "store.json"
INDEX_FILE = "index.parquet"
BUILDINGS_FILE = "buildings.parquet"
LAYERS_FOLDER = "layers"

SPLITS = ("train", "val", "test")

LABEL = "label"

LAYERS = MappingProxyType(
    {
        **{f"{date}_{kind}": len(bands) for date in ("before", "after") for kind, bands in BANDS.items()},
        LABEL: 1,
    }
)
"""Number of channels of each layer."""

TRANSFORM_COLUMNS = ("a", "b", "c", "d", "e", "f")
"""Affine map from pixels of the tile to ``crs``, in the order of :class:`PixelTransform`."""

INDEX_COLUMNS = MappingProxyType(
    {
        "row": "int32",
        "name": "str",  # of the pair
        "scene": "str",
        "split": "str",  # one of SPLITS
        "x_px": "int32",  # left edge of the tile in its pair
        "y_px": "int32",  # upper edge
        "height": "int32",  # pixels of the tile that lie inside the pair, padding left out
        "width": "int32",
        "known_share": "float64",  # of the tile's pixels, padding included: not UNKNOWN
        "changed_share": "float64",  # of the known pixels; 0 where none is known
        "crs": "str",  # empty where the place is unknown
        **dict.fromkeys(TRANSFORM_COLUMNS, "float64"),  # NaN where the place is unknown
    }
)
"""Columns of ``index.parquet`` and their types."""

BUILDING_COLUMNS = MappingProxyType(
    {
        "name": "str",  # of the pair
        "kind": "str",  # added, removed or enlarged
        "wkt_px": "str",  # pixels of the pair, not of a tile
    }
)
"""Columns of ``buildings.parquet`` and their types."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """Facts of a store's data set.

    Attributes:
        data_set: Name of the data set.
        tile_px: Side of a tile, pixels.
        gsd_m: Ground pixel size in metres; None where it varies or is unknown.
        simulated: True for the rehearsal world; every number on it is called simulated.
        licence: Terms of use, for reports.
        citation: Publication to cite, for reports.
    """

    data_set: str
    tile_px: int
    gsd_m: float | None
    simulated: bool
    licence: str
    citation: str


def layer_name(date: str, modality: Modality) -> str:
    """Return the layer of a date (``before`` or ``after``) and modality."""
    return f"{date}_{modality}"


def layer_path(folder: Path, layer: str) -> Path:
    """Return the file of a layer."""
    return folder / LAYERS_FOLDER / f"{layer}.npy"
