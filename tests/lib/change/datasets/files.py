"""Files of small data sets of pairs, written for tests."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from rasterio.transform import Affine

from components.lib.change.datasets.base import PairDataset
from components.lib.change.datasets.finding import FoundPairs, find_pairs
from components.lib.change.datasets.reading import PairReader
from components.lib.change.datasets.registry import get_pair_dataset
from components.lib.change.pair import Pair
from tests.hostile import tiff

SIZE = (24, 32)
GRID = Affine(0.5, 0.0, 500_000.0, 0.0, -0.5, 4_000_000.0)


def picture(seed: int = 0, size: tuple[int, int] = SIZE, bands: int = 3) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*size, bands), dtype=np.uint8)


def change(size: tuple[int, int] = SIZE, value: int = 255) -> npt.NDArray[np.uint8]:
    label = np.zeros(size, np.uint8)
    label[2:6, 3:9] = value
    return label


def png(pixels: npt.NDArray[Any], **options: Any) -> bytes:
    content = io.BytesIO()
    squeezed = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    Image.fromarray(squeezed).save(content, options.pop("format", "PNG"), **options)
    return content.getvalue()


def geotiff(pixels: npt.NDArray[Any], transform: Affine = GRID, **header: Any) -> bytes:
    banded = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return tiff(banded, transform, **header)


def write(root: Path, files: dict[str, bytes]) -> Path:
    for key, content in files.items():
        path = root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def generic_files(split: str, names: list[str], **parts: bytes) -> dict[str, bytes]:
    """Files of pairs in the layout ``split/{t1,t2,label}``; ``parts`` replaces the content of a folder."""
    files: dict[str, bytes] = {}
    for i, name in enumerate(names):
        seed = 10 * i + 1000 * len(split)
        files[f"{split}/t1/{name}.png"] = parts.get("t1", png(picture(seed)))
        files[f"{split}/t2/{name}.png"] = parts.get("t2", png(picture(seed + 1)))
        files[f"{split}/label/{name}.png"] = parts.get("label", png(change()))
    return files


def read(
    root: Path, dataset: str | PairDataset = "pairs", value_range: tuple[float, float] | None = None
) -> tuple[list[Pair], PairReader, FoundPairs]:
    """Find and read all pairs."""
    declared = get_pair_dataset(dataset) if isinstance(dataset, str) else dataset
    found = find_pairs(root, declared)
    reader = PairReader(found.files, declared, value_range)
    return list(reader.read_all(found.pairs)), reader, found
