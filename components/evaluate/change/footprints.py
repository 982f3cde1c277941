"""Files of changed buildings: GeoParquet, GeoPackage and GeoJSON, or the folder of a map that holds one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas
import numpy as np
import numpy.typing as npt
import pyogrio
import shapely

from components.contract.errors import BadDataError, MissingInputError
from components.contract.keys import ITEM
from components.lib.foreign import judged
from components.lib.geo.crs import LON_LAT, move, same_crs
from components.lib.geo.footprints import read_geojson
from components.lib.geo.geometries import repair
from components.lib.geo.geopackage import HEAD_BYTES, is_geopackage
from components.lib.geo.metric import in_metres, utm_zone

SUFFIXES: Final = (".parquet", ".gpkg", ".geojson", ".json")
IN_FOLDER: Final = ("changes.parquet", "footprints.parquet")
"""Files that a folder is taken for, the first that it holds."""

NO_KIND: Final = "not stated"
"""Kind of a building whose row has none."""

LARGEST_BYTES: Final = 1 << 30

Geometries = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Outlines:
    """Polygons of a file.

    Attributes:
        path: The file.
        polygons: (N,) valid polygons and multi-polygons.
        kinds: (N,) kind of change; None where the file has no column ``kind``.
        crs: ``EPSG:<code>`` or WKT; None if the file states none.
    """

    path: Path
    polygons: Geometries
    kinds: npt.NDArray[np.object_] | None
    crs: str | None


def footprint_file(place: Path) -> Path | None:
    """Return the file of footprints that a path means; None if it means none.

    Raises:
        MissingInputError: If there is nothing of that path.
    """
    if not place.exists():
        raise MissingInputError(
            f"{place} is missing", next_step="name a folder of masks, or a file of footprints"
        )
    if place.is_dir():
        found = [place / name for name in IN_FOLDER if (place / name).is_file()]
        if (place / ITEM).is_file():  # a published map keeps its files one folder below its item
            found += sorted(place.glob(f"*/{IN_FOLDER[-1]}"))
        return found[0] if found else None
    return place if place.suffix.lower() in SUFFIXES else None


def read_outlines(path: Path) -> Outlines:
    """Read a file of footprints; geometries that can be repaired are, the others are refused.

    Raises:
        MissingInputError: If there is no such file.
        BadDataError: If it cannot be read, holds something else than polygons, or is larger than 1 GiB.
    """
    if not path.is_file() or path.is_symlink():
        raise MissingInputError(
            f"{path} is no file", next_step="name a GeoParquet, GeoPackage or GeoJSON file"
        )
    if path.stat().st_size > LARGEST_BYTES:
        raise BadDataError(f"{path} is larger than 1 GiB", next_step="cut it into parts")
    suffix = path.suffix.lower()
    if suffix in {".geojson", ".json"}:
        return _geojson(path)
    # Shapely warns of NaN coordinates, which are refused below.
    with judged(str(path)), np.errstate(invalid="ignore"):
        table = geopandas.read_parquet(path) if suffix == ".parquet" else _geopackage(path)
        kinds = _kinds(table["kind"]) if "kind" in table else None
        crs = None if table.crs is None else _name(table.crs)
        geometry = np.asarray(table.geometry.to_numpy(), dtype=object)
    return Outlines(path, _sound(geometry, path), kinds, crs)


def in_one_crs(truth: Outlines, prediction: Outlines) -> tuple[Geometries, Geometries]:
    """Return both files' polygons in metres of one CRS: UTM of the place where the truth has degrees.

    Raises:
        BadDataError: If one file states no CRS and the other does, or a CRS is unknown.
    """
    if truth.crs is None and prediction.crs is None:
        return truth.polygons, prediction.polygons
    if truth.crs is None or prediction.crs is None:
        silent = truth if truth.crs is None else prediction
        raise BadDataError(
            f"{silent.path} states no CRS, the other file does", next_step="write the CRS into the file"
        )
    target = _metric(truth, prediction)
    return _moved(truth, target), _moved(prediction, target)


def _moved(outlines: Outlines, target: str) -> Geometries:
    assert outlines.crs is not None
    source, name = outlines.crs, str(outlines.path)
    if same_crs(source, target, name):
        return outlines.polygons
    moved = shapely.transform(outlines.polygons, lambda xy: move(xy, source, target, name))
    return np.asarray(moved, dtype=object)


def _metric(*files: Outlines) -> str:
    """Return the CRS to compare in: the first file's own one in metres, else the place's UTM zone."""
    for outlines in files:
        if outlines.crs is not None and in_metres(outlines.crs, str(outlines.path)):
            return outlines.crs
    for outlines in files:
        if len(outlines.polygons) and outlines.crs is not None:
            xy = shapely.get_coordinates(outlines.polygons)
            return utm_zone(move(xy, outlines.crs, LON_LAT, str(outlines.path)))
    return str(files[0].crs)


def _kinds(column: Any) -> npt.NDArray[np.object_]:  # noqa: ANN401 - pandas'
    found = column.astype(object).where(column.notna(), NO_KIND).astype(str).to_numpy(dtype=object)
    return np.asarray(found, dtype=object)


def _name(crs: Any) -> str:  # noqa: ANN401 - pyproj's
    code = crs.to_epsg()
    return str(crs.to_wkt()) if code is None else f"EPSG:{code}"


def _geojson(path: Path) -> Outlines:
    """Read GeoJSON by the reader of labels; without a stated CRS it is longitude and latitude (RFC 7946)."""
    labels = read_geojson(path.read_bytes(), str(path))
    if labels.dropped:
        raise _no_polygons(path, labels.dropped)
    polygons = np.empty(len(labels.footprints), dtype=object)
    polygons[:] = [footprint.polygon for footprint in labels.footprints]
    return Outlines(path, polygons, None, labels.crs or LON_LAT)


def _geopackage(path: Path) -> geopandas.GeoDataFrame:
    """Read the only layer; nothing but a GeoPackage is opened, whatever the name ends in."""
    with path.open("rb") as file:
        if not is_geopackage(file.read(HEAD_BYTES)):
            raise BadDataError(f"{path} is no GeoPackage", next_step="write it as GeoPackage or GeoParquet")
    layers = pyogrio.list_layers(path)
    if len(layers) != 1:
        raise BadDataError(
            f"{path} has {len(layers)} layers, one is needed", next_step="write the layer apart"
        )
    return geopandas.read_file(path, engine="pyogrio")


def _sound(geometry: Geometries, path: Path) -> Geometries:
    kinds = {shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON}
    wrong = ~np.isin(shapely.get_type_id(geometry), [int(kind) for kind in kinds])
    wrong |= shapely.is_empty(geometry)
    if wrong.any():
        raise _no_polygons(path, int(wrong.sum()))
    broken = np.flatnonzero(~shapely.is_valid(geometry))
    sound = geometry.copy()
    for number in broken.tolist():
        parts, _ = repair(geometry[number])
        if not parts:
            raise _no_polygons(path, 1)
        sound[number] = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    return np.asarray(shapely.force_2d(sound), dtype=object)


def _no_polygons(path: Path, number: int) -> BadDataError:
    return BadDataError(
        f"{path}: {number} of its geometries are no polygons, empty, or beyond repair",
        next_step="write footprints as polygons",
    )
