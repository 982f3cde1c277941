"""The feature table: one row per tile, every column a fact that an expectation can be held against.

A column is missing (None) where it does not apply or could not be determined, so that a tile whose file is
truncated fails one expectation, not twenty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from components.contract.errors import BadDataError
from components.lib.datasets.base import RoadLabels, Sensor
from components.lib.datasets.sensors import dataset_of
from components.lib.drift.statistics import band_statistics
from components.lib.foreign import judged
from components.lib.geo.bands import in_band_order, nodata_pixels, valid_pixels
from components.lib.geo.footprints import Labels
from components.lib.geo.raster import Raster, RasterLimits, RasterProfile, read_geotiff
from components.validate.labels import Bounds, count_labels, count_roads, read_labels
from components.validate.offsets import Backscatter, SarTile
from components.validate.summary import Summaries
from components.validate.tiles import Record, Tile

LIMITS = RasterLimits(max_side_px=8192, max_bands=16, max_bytes=256 * 2**20)
"""A real SAR tile decodes to 13 MB."""

Features = dict[str, Any]


def tile_features(
    tile: Tile, sensor: Sensor, summaries: Summaries, read: Callable[[Record], bytes]
) -> Features:
    """Compute everything that the expectations look at of one tile.

    Whatever a library raises on one of the tile's files becomes that file's error, in its own column.

    Args:
        tile: The tile's files.
        sensor: Sensor of its acquisition.
        summaries: What the acquisition's summary files say.
        read: Gives the checked content of a manifest row; raises ``BadDataError`` on a checksum mismatch.

    Returns:
        One row of the feature table.
    """
    row: Features = {
        "acquisition": tile.acquisition,
        "sensor": tile.sensor,
        "image_id": tile.image_id,
        "strip": tile.strip,
        "tile": tile.tile,
        "well_named": tile.misnamed is None,
        "name_error": tile.misnamed or "",
    }
    if tile.misnamed is not None:
        return row
    dataset = dataset_of(sensor.name)
    orientations = summaries.orientations
    orientation = None if orientations is None else orientations.flags.get(tile.strip)
    row |= {
        "duplicates": tile.duplicates,
        "orientation": orientation,
        "orientation_known": orientation is not None,
        "orientation_error": (
            "" if orientations is None or orientation is not None else orientations.why_unknown(tile.strip)
        ),
        "sar_present": dataset.sar.name in tile.files,
    }
    radar = _sar_columns(row, tile.files.get(dataset.sar.name), sensor, read)
    sar = _profile_of(radar)
    if sensor.paired_optical and tile.part == dataset.naming.full_part:
        row["pair_present"] = dataset.optical.name in tile.files
        product = dataset.optical
        optical = _profile_of(
            _raster_columns(row, "optical", tile.files.get(product.name), product.bands, read)
        )
        if sar is not None and optical is not None:
            row["pair_same_shape"] = sar.shape == optical.shape
            row["pair_offset_px"] = grid_offset_px(sar, optical)
    summary = summaries.buildings.get(tile.image_id)
    _label_columns(row, tile.files.get(dataset.labels.name), sensor, radar, read)
    if summary is not None:
        _summary_columns(row, summary, sensor)
    if dataset.roads is not None and dataset.roads.product.name in tile.files:
        _road_columns(row, tile.files[dataset.roads.product.name], dataset.roads, sensor, sar, read)
    return row


def grid_offset_px(a: RasterProfile, b: RasterProfile) -> float:
    """Return the largest distance between equal corners of two rasters, in pixels of ``a``.

    Corners are compared instead of coefficients, so that a tiny difference in pixel size counts by what it
    adds up to across the tile.
    """
    corners = [(0, 0), (a.width, 0), (0, a.height), (a.width, a.height)]
    per_px = max(*a.resolution, 1e-12)
    return max(float(np.hypot(*np.subtract(a.transform @ c, b.transform @ c))) for c in corners) / per_px


def _raster_columns(
    row: Features,
    prefix: str,
    record: Record | None,
    bands: tuple[str, ...],
    read: Callable[[Record], bytes],
) -> Raster | None:
    """Add the columns of one raster and return it, if it could be read."""
    if record is None:
        return None
    with _file_judged(row, prefix, record):
        content = read(record)
        row[f"{prefix}_checksum_ok"] = True
        row[f"{prefix}_readable"] = False
        name = str(record["name"])
        raster = in_band_order(read_geotiff(content, name, LIMITS), bands)
        columns = header_features(raster.profile) | pixel_features(raster, bands, decibels=prefix == "sar")
        row |= {f"{prefix}_{name}": value for name, value in columns.items()}
        row[f"{prefix}_readable"] = True
        return raster
    return None


def _profile_of(image: Raster | SarTile | None) -> RasterProfile | None:
    return None if image is None else image.profile


def _sar_columns(
    row: Features, record: Record | None, sensor: Sensor, read: Callable[[Record], bytes]
) -> SarTile | None:
    """Add the columns of the SAR image and return what labels are held against, if it could be read."""
    raster = _raster_columns(row, "sar", record, sensor.bands, read)
    if raster is None:
        return None
    profile = raster.profile
    row["sar_resolution_error"] = max(abs(r / sensor.gsd_m - 1) for r in profile.resolution)
    placed = row["sar_north_up"] and profile.crs == sensor.crs
    return SarTile(profile, Backscatter.of(raster) if placed else None)


@contextmanager
def _file_judged(row: Features, prefix: str, record: Record) -> Iterator[None]:
    """Put whatever is wrong with one file into its ``error`` column, in words."""
    row[f"{prefix}_checksum_ok"] = False
    row[f"{prefix}_error"] = ""
    try:
        with judged(str(record["name"])):
            yield
    except BadDataError as error:
        row[f"{prefix}_error"] = error.message


def header_features(profile: RasterProfile) -> Features:
    """Return the facts of a header: pixel type, bands, shape, CRS and grid."""
    t = profile.transform
    return {
        "dtype": profile.dtype,
        "bands": profile.count,
        "height": profile.height,
        "width": profile.width,
        "crs": profile.crs or "none",
        "north_up": t.b == 0 and t.d == 0 and t.a > 0 and t.e < 0,
        "x_left_m": t.c,
        "y_top_m": t.f,
        "resolution_x_m": profile.resolution[0],
        "resolution_y_m": profile.resolution[1],
    }


def pixel_features(raster: Raster, bands: tuple[str, ...], *, decibels: bool = False) -> Features:
    """Return no-data share, NaN count, and moments and range of the valid pixels, per band and over all.

    The bands' skewness, texture and looks are for later comparisons (docs/methods/drift.md): no rule of the
    suite looks at them.

    Args:
        raster: (C, H, W).
        bands: Names of the bands; per-band columns are left out where their number differs.
        decibels: True for SAR in decibels, which has an equivalent number of looks.
    """
    array, missing = raster.array, nodata_pixels(raster)
    columns: Features = {
        "nodata_share": float(missing.mean()),
        "nan_count": int(np.count_nonzero(~np.isfinite(array) & ~missing)),
    }
    mask = valid_pixels(raster)
    valid = array[:, mask]
    if valid.shape[1] == 0 or np.iscomplexobj(valid):
        return columns
    columns |= {"min": float(valid.min()), "max": float(valid.max())}
    std = valid.std(axis=1, dtype=np.float64)
    columns["min_std"] = float(std.min())
    if len(bands) == len(array):
        columns |= _band_columns(valid, std, bands)
        more = zip(bands, band_statistics(array, mask, decibels=decibels), strict=True)
        columns |= {f"{name}_{band}": value for band, found in more for name, value in found.items()}
    return columns


def _band_columns(valid: npt.NDArray[Any], std: npt.NDArray[np.float64], bands: tuple[str, ...]) -> Features:
    columns: Features = {}
    for band, pixels, deviation in zip(bands, valid, std, strict=True):
        columns[f"mean_{band}"] = float(pixels.mean(dtype=np.float64))
        columns[f"std_{band}"] = float(deviation)
        columns[f"min_{band}"] = float(pixels.min())
        columns[f"max_{band}"] = float(pixels.max())
    return columns


def _label_columns(
    row: Features,
    record: Record | None,
    sensor: Sensor,
    sar: SarTile | None,
    read: Callable[[Record], bytes],
) -> None:
    """Add the label columns; a missing or 0-byte file is a tile without buildings, as in the release.

    How far the SAR image lies beside the outlines is among them, for later comparisons as the bands' texture.
    """
    row["label_present"] = record is not None
    if record is None:
        return
    with _file_judged(row, "label", record):
        content = read(record)
        row["label_checksum_ok"] = True
        row["label_zero_bytes"] = not content
        row["label_readable"] = False
        labels = read_labels(content, str(record["name"]), crs=sensor.crs)
        counts = count_labels(labels, bounds=_bounds(_profile_of(sar)))
        row |= {
            "label_count": counts.count,
            "label_repaired": counts.repaired,
            "label_unrepairable": counts.unrepairable,
            "label_empty": counts.empty,
            "label_outside_share": counts.outside / max(counts.count, 1),
            "label_largest_m2": counts.largest_m2,
        }
        if sar is not None:
            # Preparing draws the same outlines: those that cannot be drawn are the label file's fault.
            offsets = sar.offsets((f.polygon for f in labels.footprints), row["orientation"])
            row |= {f"sar_{name}": metres for name, metres in offsets.items()}
        row["label_readable"] = True


def _road_columns(  # noqa: PLR0917 - one file, its declaration and its tile
    row: Features,
    record: Record,
    labels: RoadLabels,
    sensor: Sensor,
    sar: RasterProfile | None,
    read: Callable[[Record], bytes],
) -> None:
    """Add the columns of the road labels, of a tile that comes with them."""
    with _file_judged(row, "road", record):
        content = read(record)
        row["road_checksum_ok"] = True
        row["road_readable"] = False
        name = str(record["name"])
        counts = count_roads(content, name, crs=sensor.crs, bounds=_bounds(sar), labels=labels)
        row |= {
            "road_count": counts.count,
            "road_dropped": counts.dropped,
            "road_outside_share": counts.outside / max(counts.count, 1),
        }
        row["road_readable"] = True


def _summary_columns(row: Features, summary: Labels, sensor: Sensor) -> None:
    """Add what the summary CSV says of the tile; it stands in for the labels of a tile without a file."""
    row["summary_dropped"] = summary.dropped
    if not row["label_present"]:
        row |= {
            "label_count": len(summary.footprints),
            "label_repaired": summary.repaired,
            "label_unrepairable": summary.dropped,
            "label_empty": summary.empty,
            "label_largest_m2": max((f.polygon.area for f in summary.footprints), default=0.0)
            * sensor.gsd_m**2,
        }


def _bounds(profile: RasterProfile | None) -> Bounds | None:
    if profile is None:
        return None
    x0, y0 = profile.transform @ (0, 0)
    x1, y1 = profile.transform @ (profile.width, profile.height)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)
