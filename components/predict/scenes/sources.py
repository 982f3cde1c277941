"""Strips that a folder of tiles or the shards of a partition hold."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from components.contract.errors import BadDataError, MissingInputError, StormsightError
from components.contract.keys import MARKER
from components.lib.datasets.base import Dataset
from components.lib.datasets.sensors import DATASETS, dataset_of, get_sensor
from components.lib.folders import read_bounded
from components.lib.foreign import one_line, read_json_text
from components.lib.geo.orientation import Orientations, read_orientations
from components.lib.geo.raster import DEFAULT_LIMITS
from components.lib.nets.config import Modality
from components.lib.shards.manifest import read_manifest, rows_of
from components.lib.shards.reader import ShardReader
from components.predict.scenes.reading import reading_of, unknown_sensor
from components.predict.scenes.tiles import TileFile

log = logging.getLogger(__name__)

MOST_TILE_BYTES = 2 * (DEFAULT_LIMITS.max_bytes or 0)
"""Largest file of a tile: an uncompressed tile of the largest size, and room for its header."""

_DELIVERY_LEVELS = 4
"""Folders above a tile in which the marker of its delivery is looked for: product, area, part, delivery."""


@dataclass(frozen=True, slots=True)
class StripFiles:
    """Tiles of one strip.

    Attributes:
        strip: Its name.
        sensor: SAR sensor.
        files: Its tiles, by their numbers.
        orientations: Flags of its acquisition, None where there is no such file.
    """

    strip: str
    sensor: str
    files: tuple[TileFile, ...]
    orientations: Orientations | None


def dataset_of_name(name: str) -> Dataset | None:
    """Return the first data set whose convention a file name follows; simulated ones follow a real one's."""
    return next((dataset for dataset in DATASETS.values() if dataset.matches(name)), None)


def sensor_of_name(name: str) -> str | None:
    """Return the sensor that a file name tells, None if it tells none or several."""
    dataset = dataset_of_name(name)
    real = [] if dataset is None else [sensor.name for sensor in dataset.sensors if not sensor.simulated]
    return real[0] if len(real) == 1 else None


def marked_sensor(path: Path) -> str | None:
    """Return the sensor that the completeness marker of a delivery states, None without a marker.

    Args:
        path: The delivery, or a folder or file in it: names of simulated tiles are those of the release, and
            without the marker they would pass for real ones.

    Raises:
        BadDataError: If the marker is not JSON, or states no sensor.
        ParameterError: If the sensor is unknown.
    """
    place = path.absolute()
    markers = [folder / MARKER for folder in (place, *place.parents[:_DELIVERY_LEVELS])]
    marker = next((marker for marker in markers if marker.is_file() and not marker.is_symlink()), None)
    if marker is None:
        return None
    stated = read_json_text(read_small_file(marker, MARKER), str(marker))
    sensor = stated.get("sensor") if isinstance(stated, dict) else None
    if not isinstance(sensor, str):
        raise BadDataError(f"{marker} states no sensor", next_step="give --sensor")
    return get_sensor(sensor).name


def tell_left_out(name: str, why: object) -> None:
    """Log that a file or strip is left out; the others go on."""
    reason = why.message if isinstance(why, StormsightError) else str(why)
    log.warning("%s is left out: %s", one_line(name), one_line(reason))


def strips_of_folder(
    files: Mapping[str, Path], sensor: str | None, modality: Modality, label: str
) -> list[StripFiles]:
    """Gather the tiles in a folder by their strips.

    Args:
        files: Files by their paths below the folder.
        sensor: Sensor of the tiles; None takes what their names tell.
        modality: Kind of images wanted; files of other products are passed over.
        label: Name of the folder, for messages.

    Raises:
        MissingInputError: If no file is a tile of that kind.
        ParameterError: If the names tell no sensor, and none is given.
        BadDataError: If the file of orientation flags cannot be read.
    """
    known = [(key, dataset) for key in files if (dataset := dataset_of_name(_name(key))) is not None]
    if sensor is None:
        told = {sensor_of_name(_name(key)) for key, _ in known} or {None}
        (sensor,) = told if len(told) == 1 else (None,)
        if sensor is None:
            raise unknown_sensor(label)
    dataset = dataset_of(sensor)
    product = reading_of(sensor, modality).product.name
    strips: dict[str, dict[int, TileFile]] = {}
    for key in files:
        name = _name(key)
        if not dataset.matches(name) or (parsed := dataset.parse(name)).product != product:
            continue
        tiles = strips.setdefault(parsed.strip, {})
        if parsed.tile in tiles:
            tell_left_out(key, f"tile {parsed.image_id} comes twice")
            continue
        load = partial(read_small_file, files[key], name)
        tiles[parsed.tile] = TileFile(name, parsed.strip, parsed.tile, load)
    if not strips:
        raise no_tiles(label, dataset, product)
    flags = [key for key in files if _name(key) == dataset.summaries.orientations]
    orientations = None
    if flags:
        orientations = read_orientations(read_small_file(files[flags[0]], flags[0]), flags[0])
    return [
        StripFiles(strip, sensor, tuple(tile for _, tile in sorted(tiles.items())), orientations)
        for strip, tiles in sorted(strips.items())
    ]


def strips_of_partition(folder: Path, sensor: str | None, modality: Modality) -> list[StripFiles]:
    """Gather the tiles in the shards of a partition (``data/raw/p00``) by acquisition and strip.

    Args:
        folder: Folder with ``manifest.parquet``.
        sensor: Sensor whose tiles are wanted; None takes all that have such images.
        modality: Kind of images wanted.

    Raises:
        MissingInputError: If no file is a tile of that kind.
        BadDataError: If the manifest is damaged.
    """
    reader = ShardReader(folder)
    rows = rows_of(read_manifest(folder))
    orientations = {
        row.acquisition: read_orientations(reader.read(row), f"{row.name} of {row.acquisition}")
        for row in rows
        if row.name == dataset_of(row.sensor).summaries.orientations
    }
    strips: dict[tuple[str, str, str], dict[int, TileFile]] = {}
    for row in rows:
        dataset = dataset_of(row.sensor)
        wanted = dataset.sar if modality == "sar" else dataset.optical
        if row.product != wanted.name or sensor not in (None, row.sensor):
            continue
        parsed = dataset.parse(row.name) if dataset.matches(row.name) else None
        if parsed is None or (parsed.strip, parsed.tile) != (row.strip, row.tile):
            tell_left_out(row.name, "its name and its row of the manifest differ")
            continue
        tiles = strips.setdefault((row.acquisition, row.sensor, row.strip), {})
        if row.tile in tiles or row.size > MOST_TILE_BYTES:
            tell_left_out(row.name, "it comes twice" if row.tile in tiles else f"it has {row.size:,} bytes")
            continue
        tiles[row.tile] = TileFile(row.name, row.strip, row.tile, partial(reader.read, row))
    if not strips:
        kind = f"{modality} tiles" + (f" of {sensor}" if sensor else "")
        raise MissingInputError(
            f"{one_line(folder)} holds no {kind}",
            next_step=f"its sensors are {', '.join(sorted({row.sensor for row in rows})) or 'none'}",
        )
    return [
        StripFiles(strip, of, tuple(tile for _, tile in sorted(tiles.items())), orientations.get(acquisition))
        for (acquisition, of, strip), tiles in sorted(strips.items())
    ]


def no_tiles(label: str, dataset: Dataset, product: str) -> MissingInputError:
    """Return the error for a place that holds no tiles of a product."""
    pattern = dataset.naming.template.format(
        part=dataset.naming.full_part, product=product, image_id=dataset.naming.image_id, extension="tif"
    )
    return MissingInputError(
        f"{one_line(label)} holds no {product} tiles of {dataset.naming.title}",
        next_step=f"tiles are named {pattern}; name other GeoTIFF files one by one",
    )


def _name(key: str) -> str:
    return PurePosixPath(key).name


def read_small_file(path: Path, name: str) -> bytes:
    """Return the bytes of a tile or of a file about the release.

    Raises:
        BadDataError: If it is larger than any tile.
        MissingInputError: If it cannot be read.
    """
    return read_bounded(path, name, MOST_TILE_BYTES, next_step="map it as a GeoTIFF of its own")
