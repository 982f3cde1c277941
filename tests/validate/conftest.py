"""A tiny release, healthy until a test damages it, written by the shard contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from rasterio.transform import Affine

from components.lib.datasets.sensors import get_sensor
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.raster import encode_geotiff
from components.lib.shards.manifest import write_manifest
from components.lib.shards.writer import ShardWriter
from components.validate.parameters import ValidateParameters
from components.validate.stage import Folders, validate
from tests.lib.shards.packed import packed_row

STRIPS = ("20190804111224_20190804111453", "20190804111851_20190804112030")
SIDE_PX = 40
GSD_M = get_sensor("simulated-airborne").gsd_m

PARAMETERS = ValidateParameters(
    max_quarantine_share=0.5,
    max_nodata_share=0.95,
    min_strip_coverage=0.5,
    mean_range=(0.1, 0.8),
    max_strip_drift=20.0,
)


def grid(tile: int, gsd_m: float = GSD_M, shift_px: float = 0.0) -> Affine:
    x_left = 592_000.0 + tile * SIDE_PX * gsd_m + shift_px * gsd_m
    return Affine(gsd_m, 0, x_left, 0, -gsd_m, 5_746_000.0)


def sar_pixels(seed: int = 1, bands: int = 4) -> npt.NDArray[np.float32]:
    pixels = np.random.default_rng(seed).normal(40, 8, (bands, SIDE_PX, SIDE_PX)).clip(1, 92)
    pixels[:, :, :6] = 0  # the strip's border
    return pixels.astype(np.float32)


def optical_pixels(seed: int = 2) -> npt.NDArray[np.uint8]:
    pixels = np.random.default_rng(seed).integers(1, 255, (3, SIDE_PX, SIDE_PX), dtype=np.uint8)
    pixels[:, :, :6] = 0
    return pixels


def tif(pixels: npt.NDArray[Any], transform: Affine, crs: str | None = "EPSG:32631") -> bytes:
    return encode_geotiff(pixels, transform=transform, crs=crs, nodata=0)


def square(x: float, y: float, side: float = 4.0) -> dict[str, Any]:
    ring = [[x, y], [x + side, y], [x + side, y - side], [x, y - side], [x, y]]
    return {"type": "Polygon", "coordinates": [ring]}


def geojson(*geometries: Any, crs: str | None = "urn:ogc:def:crs:EPSG::32631") -> bytes:
    document: dict[str, Any] = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": geometry} for geometry in geometries],
    }
    if crs is not None:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    return json.dumps(document).encode()


def name_of(product: str, tile: int, strip: str = STRIPS[0]) -> str:
    return SPACENET6.file_name(product, strip, tile)


@dataclass
class Listed:
    """A file and what its manifest row says."""

    product: str
    strip: str
    tile: int
    content: bytes
    sha256: str | None = None


@dataclass
class Release:
    """The files of one acquisition by name; tests replace, add and delete entries."""

    sensor: str = "simulated-airborne"
    acquisition: str = "tiny"
    files: dict[str, Listed] = field(default_factory=dict)

    def put(self, product: str, tile: int, content: bytes, strip: str = STRIPS[0]) -> None:
        self.files[name_of(product, tile, strip)] = Listed(product, strip, tile, content)

    def drop(self, product: str, tile: int, strip: str = STRIPS[0]) -> None:
        del self.files[name_of(product, tile, strip)]

    def add_tile(self, tile: int, strip: str = STRIPS[0]) -> None:
        transform = grid(tile)
        self.put("SAR-Intensity", tile, tif(sar_pixels(tile), transform), strip)
        self.put("PS-RGB", tile, tif(optical_pixels(tile), transform), strip)
        houses = [square(transform.c + 8, transform.f - 4), square(transform.c + 8, transform.f - 12)]
        self.put("Buildings", tile, geojson(*houses), strip)


def write_release(raw: Path, *releases: Release) -> None:
    rows = []
    for release in releases:
        with ShardWriter(raw / release.acquisition) as shards:
            for name, listed in release.files.items():
                rows.append(
                    packed_row(
                        shards,
                        name,
                        listed.content,
                        acquisition=release.acquisition,
                        sensor=release.sensor,
                        product=listed.product,
                        strip=listed.strip,
                        tile=listed.tile,
                        sha256=listed.sha256,
                    )
                )
    write_manifest(raw, rows)


@dataclass
class Result:
    """Output of a run, read back from disk."""

    verdict: dict[str, Any]
    quarantine: pd.DataFrame
    features: pd.DataFrame
    folders: Folders

    def rules(self, tile: int, strip: str = STRIPS[0]) -> set[str]:
        rows = self.quarantine[self.quarantine["image_id"] == f"{strip}_tile_{tile}"]
        return set(rows["rule"])

    def reason(self, rule: str) -> str:
        rows = self.quarantine[self.quarantine["rule"] == rule]
        assert len(rows) == 1, self.quarantine.to_string()
        return str(rows["reason"].iloc[0])

    def row(self, tile: int, strip: str = STRIPS[0]) -> Any:
        return self.features.set_index("image_id").loc[f"{strip}_tile_{tile}"]


def read_result(folders: Folders) -> Result:
    return Result(
        verdict=json.loads((folders.reports / "verdict.json").read_text()),
        quarantine=pd.read_csv(folders.validated / "quarantine.csv", keep_default_na=False, dtype=str),
        features=pd.read_parquet(folders.validated / "features.parquet"),
        folders=folders,
    )


def healthy_release() -> Release:
    """Two strips of four tiles each."""
    made = Release()
    for strip in STRIPS:
        for tile in range(1, 5):
            made.add_tile(tile, strip)
    flags = "".join(f"{strip} {flag}\n" for flag, strip in enumerate(STRIPS)).encode()
    made.files["SAR_orientations.txt"] = Listed("Summary", "", -1, flags)
    return made


@pytest.fixture
def release() -> Release:
    return healthy_release()


Runner = Callable[..., Result]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "raw", tmp_path / "features", tmp_path / "validated", tmp_path / "reports")


@pytest.fixture
def run_validate(folders: Folders) -> Runner:
    """Write releases, validate them, and read back what lies on disk; a bad verdict raises."""

    def run(*releases: Release, parameters: ValidateParameters = PARAMETERS) -> Result:
        write_release(folders.raw / "p00", *releases)
        validate(folders, parameters, ["p00"])
        return read_result(folders)

    return run
