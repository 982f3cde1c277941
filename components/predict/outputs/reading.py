"""Published footprints read back in batches, so that memory does not grow with their number."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pyproj
import shapely

from components.lib.geo.crs import LON_LAT

BATCH_ROWS: Final = 8192
LARGEST: Final = 50
BINS: Final = 20
CONFIDENCE_DECIMALS: Final = 4
"""Digits of a confidence in tiles and lists."""


@dataclass(frozen=True, slots=True, order=True)
class Building:
    """One building for a list.

    Attributes:
        area_m2: Ground area, square metres.
        id: Its name in all files.
        confidence: 0 to 1.
        lon: Longitude of a point inside it, degrees.
        lat: Latitude of that point, degrees.
    """

    area_m2: float
    id: str
    confidence: float
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of a map's footprints.

    Attributes:
        buildings: Number of all.
        area_m2: Ground area of all, square metres.
        histogram: Number in each of 20 equal bins of confidence, 0 to 1.
        largest: The up to 50 largest, largest first.
    """

    buildings: int
    area_m2: float
    histogram: tuple[int, ...]
    largest: tuple[Building, ...]

    @property
    def properties(self) -> dict[str, Any]:
        """Return what the map's STAC item states of them."""
        return {
            "stormsight:buildings": self.buildings,
            "stormsight:building_area_m2": round(self.area_m2, 1),
        }


def crs_of(parquet: Path) -> pyproj.CRS:
    """Return the CRS that the file states."""
    stated = json.loads(pq.read_metadata(parquet).metadata[b"geo"])
    return pyproj.CRS.from_json_dict(stated["columns"][stated["primary_column"]]["crs"])


def batches(parquet: Path, columns: Sequence[str]) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Yield columns of at most 8,192 rows, as NumPy arrays by name."""
    with pq.ParquetFile(parquet) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns)):
            yield {name: batch.column(name).to_numpy(zero_copy_only=False) for name in columns}


def _largest(area: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return the places of the 50 largest, and of all that are as large as the last of these."""
    if len(area) <= LARGEST:
        return np.arange(len(area))
    return np.flatnonzero(area >= np.partition(area, -LARGEST)[-LARGEST])


def summarise(parquet: Path) -> Summary:
    """Count the footprints of a file and find the largest."""
    to_lon_lat = pyproj.Transformer.from_crs(crs_of(parquet), LON_LAT, always_xy=True)
    buildings, area, largest = 0, 0.0, list[Building]()
    histogram = np.zeros(BINS, dtype=np.int64)
    for batch in batches(parquet, ["id", "geometry", "confidence", "area_m2"]):
        buildings += len(batch["id"])
        area += float(batch["area_m2"].sum())
        # Rounded as in the tiles, so that a page counts the buildings that it shows.
        confidence = np.round(batch["confidence"], CONFIDENCE_DECIMALS)
        bins = np.minimum((confidence * BINS + 1e-9).astype(np.int64), BINS - 1)
        histogram += np.bincount(bins, minlength=BINS)
        candidates = _largest(batch["area_m2"])
        inside = shapely.point_on_surface(shapely.from_wkb(batch["geometry"][candidates]))
        lon, lat = to_lon_lat.transform(shapely.get_x(inside), shapely.get_y(inside))
        found = (
            Building(
                area_m2=float(batch["area_m2"][i]),
                id=str(batch["id"][i]),
                confidence=float(confidence[i]),
                lon=round(float(x), 7),
                lat=round(float(y), 7),
            )
            for i, x, y in zip(candidates, lon, lat, strict=True)
        )
        largest = heapq.nlargest(LARGEST, [*largest, *found])
    return Summary(buildings, area, tuple(histogram.tolist()), tuple(largest))
