"""Small scenes in one file, as users bring them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.transform import Affine

from components.lib.geo.grid import GRID_M
from components.lib.mapping.scene import Scene
from components.lib.nets.config import Modality
from components.predict.scenes.opening import open_scenes
from tests.hostile import tiff

WEST, NORTH = 592_000.0, 5_750_000.0
SENSOR = "capella-airborne"


def at(gsd: float = GRID_M, west: float = WEST, north: float = NORTH) -> Affine:
    """Return the transform of a north-up raster."""
    return Affine(gsd, 0, west, 0, -gsd, north)


def sar(height: int = 90, width: int = 120, seed: int = 0, bands: int = 4) -> npt.NDArray[np.float32]:
    """Return values of SAR-Intensity with a border and a hole without data."""
    values = np.random.default_rng(seed).uniform(1, 91, (bands, height, width)).astype(np.float32)
    values[:, : height // 8] = 0
    values[:, height // 2 : height // 2 + 5, 10:20] = 0
    return values


def rgb(height: int = 90, width: int = 120, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return a picture of three bands."""
    return np.random.default_rng(seed).integers(1, 255, (3, height, width), dtype=np.uint8)


def write(
    folder: Path,
    pixels: npt.NDArray[Any],
    transform: Affine | None = None,
    name: str = "scene.tif",
    **options: Any,
) -> Path:
    """Write a GeoTIFF."""
    path = folder / name
    path.write_bytes(tiff(pixels, at() if transform is None else transform, **options))
    return path


def opened(path: Path, modality: Modality = "sar", sensor: str | None = SENSOR) -> Scene:
    """Open a scene in one file, imaged from the north."""
    (scene,) = open_scenes(
        [str(path)], sensor=sensor, modality=modality, orientation=0, scratch=path.parent / "scratch"
    )
    return scene
