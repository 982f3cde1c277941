"""A tiny ``data/raw`` and quarantine, written as download and validate leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.transform import Affine

from components.lib.datasets.base import Dataset
from components.lib.datasets.spacenet6 import SPACENET6
from components.lib.geo.grid import GRID_M
from components.lib.geo.raster import encode_geotiff
from components.lib.shards.manifest import FileRow, write_manifest
from components.lib.shards.writer import ShardWriter
from components.prepare.parameters import PrepareParameters, SplitParameters
from components.prepare.pipeline import Folders as StageFolders
from components.prepare.store import prepare
from tests.lib.shards.packed import packed_row
from tests.lib.store.tiny_store import array_path

NORTH, SOUTH = "20190804111224_20190804111453", "20190804111851_20190804112030"
AIRBORNE, SPACEBORNE = "simulated-airborne", "simulated-spaceborne"
SIDE = 64
PARTITION = "p00"
TOP = 5_750_000.0
WEST = 592_000.0

PARAMETERS = PrepareParameters(
    min_area_m2=20.0,
    edge_px=2,
    contact_px=9,
    split=SplitParameters(west_m=591_550.0, east_m=596_250.0, groups=5, selection_group=3),
)

ORIENTATIONS = f"{NORTH} 0\n{SOUTH} 1\n".encode()


def image_id(tile: int, strip: str = NORTH) -> str:
    return f"{strip}_tile_{tile}"


def corner(x_left: float, gsd: float = GRID_M) -> Affine:
    return Affine(gsd, 0, x_left, 0, -gsd, TOP)


def boxes(transform: Affine, *pixels: tuple[float, float, float, float]) -> list[shapely.Polygon]:
    """Pixel boxes (x0, y0, x1, y1) as map polygons."""
    found = []
    for x0, y0, x1, y1 in pixels:
        (west, north), (east, south) = transform @ (x0, y0), transform @ (x1, y1)
        found.append(shapely.box(west, south, east, north))
    return found


def geojson(polygons: Iterable[Any]) -> bytes:
    features = [
        {"type": "Feature", "properties": {}, "geometry": json.loads(shapely.to_geojson(polygon))}
        for polygon in polygons
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32631"}}
    return json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}).encode()


def sar_values(seed: int, bands: int = 4, side: int = SIDE) -> npt.NDArray[np.float32]:
    values = np.random.default_rng(seed).uniform(1, 91, (bands, side, side)).astype(np.float32)
    values[:, : side // 8] = 0  # black border in the north
    return values


def rgb_values(seed: int, side: int = SIDE) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(1, 255, (3, side, side), dtype=np.uint8)


def tif(array: npt.NDArray[Any], transform: Affine, crs: str = "EPSG:32631") -> bytes:
    return encode_geotiff(array, transform=transform, crs=crs, nodata=0)


@dataclass
class Acquisition:
    """Files of one acquisition, by product and tile."""

    name: str = "tiny-airborne"
    sensor: str = AIRBORNE
    dataset: Dataset = SPACENET6
    files: dict[tuple[str, str, int], bytes] = field(default_factory=dict)
    summaries: dict[str, bytes] = field(default_factory=lambda: {"SAR_orientations.txt": ORIENTATIONS})

    def add(self, product: str, tile: int, content: bytes, strip: str = NORTH) -> None:
        self.files[product, strip, tile] = content

    def add_tile(
        self, tile: int, x_left: float, *, strip: str = NORTH, polygons: Iterable[Any] = (), seed: int = 0
    ) -> Affine:
        """An airborne tile with all three products."""
        transform = corner(x_left)
        self.add("SAR-Intensity", tile, tif(sar_values(seed or tile), transform), strip)
        self.add("PS-RGB", tile, tif(rgb_values(seed or tile), transform), strip)
        self.add("Buildings", tile, geojson(polygons), strip)
        return transform

    def write(self, raw: Path) -> list[FileRow]:
        rows = []
        with ShardWriter(raw / self.name) as shards:

            def store(name: str, product: str, strip: str, tile: int, content: bytes) -> None:
                place = {"acquisition": self.name, "sensor": self.sensor}
                rows.append(
                    packed_row(shards, name, content, product=product, strip=strip, tile=tile, **place)
                )

            for (product, strip, tile), content in self.files.items():
                store(self.dataset.file_name(product, strip, tile), product, strip, tile, content)
            for name, content in self.summaries.items():
                store(name, self.dataset.summaries.product, "", -1, content)
        return rows


@dataclass
class Folders:
    """Folders that one run reads and writes."""

    root: Path

    @property
    def raw(self) -> Path:
        """The one partition's folder."""
        return self.root / "raw" / PARTITION

    @property
    def quarantine(self) -> Path:
        return self.root / "validated" / PARTITION / "quarantine.csv"

    @property
    def store(self) -> Path:
        return self.root / "prepared"

    @property
    def metrics(self) -> Path:
        return self.root / "reports" / "metrics.json"

    def write(self, *acquisitions: Acquisition, quarantined: Iterable[tuple[str, str]] = ()) -> None:
        write_manifest(self.raw, [row for a in acquisitions for row in a.write(self.raw)])
        self.quarantine.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            f"{acquisition},{image_id},SAR-Intensity,rule,reason" for acquisition, image_id in quarantined
        ]
        self.quarantine.write_text("\n".join(["acquisition,image_id,product,rule,reason", *lines]) + "\n")

    def prepare(
        self, parameters: PrepareParameters = PARAMETERS, *, processes: int | None = 1
    ) -> dict[str, Any]:
        """Prepare the one partition, and split it."""
        folders = StageFolders(self.raw.parent, self.quarantine.parents[1], self.store, self.metrics)
        return prepare(folders, parameters, [PARTITION], processes=processes)

    def array(self, sensor: str, layer: str) -> npt.NDArray[Any]:
        """Return a layer of the sensor's one acquisition, from its file."""
        stored: npt.NDArray[Any] = np.load(array_path(self.store, sensor, layer))
        return stored
