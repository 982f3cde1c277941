"""The training store: few large files from which a crop is read without decoding a tile."""

from components.lib.store.layout import (
    INDEX_COLUMNS,
    LAYERS,
    MASKS,
    SPLITS,
    footprints_of,
    pack_masks,
    write_store,
)
from components.lib.store.prefetch import prefetch
from components.lib.store.sampler import CropSampler
from components.lib.store.store import Store

__all__ = [
    "INDEX_COLUMNS",
    "LAYERS",
    "MASKS",
    "SPLITS",
    "CropSampler",
    "Store",
    "footprints_of",
    "pack_masks",
    "prefetch",
    "write_store",
]
