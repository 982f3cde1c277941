"""Opening of scenes from whatever a user names: files, folders, shards, objects in a bucket."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from components.contract.errors import (
    BadDataError,
    MissingInputError,
    ParameterError,
    StormsightError,
)
from components.contract.hashing import sha256_file
from components.contract.keys import CONTROL
from components.lib.folders import files_of_folder
from components.lib.foreign import judged, one_line
from components.lib.geo.windowed import WindowedGeoTiff
from components.lib.mapping.scene import Scene, SceneFacts, SourceFile
from components.lib.nets.config import Modality
from components.lib.shards.manifest import MANIFEST
from components.lib.telling import Advance, telling
from components.predict.scenes.checks import Survey, check_place
from components.predict.scenes.facts import acquired, orientation_of_file, orientation_of_strip, safe_name
from components.predict.scenes.geotiff import GeoTiffScene, survey_file
from components.predict.scenes.place import place_of
from components.predict.scenes.reading import Reading, reading_of, unknown_sensor
from components.predict.scenes.remote import fetched
from components.predict.scenes.sources import (
    StripFiles,
    dataset_of_name,
    marked_sensor,
    sensor_of_name,
    strips_of_folder,
    strips_of_partition,
    tell_left_out,
)
from components.predict.scenes.strip import StripScene, lay_out
from components.predict.scenes.tiles import CheckedTile, TileCache, TileFile, TileReader, check_tile

log = logging.getLogger(__name__)

_WIDEST_BLOCK_PX = 8192
"""Width of stored blocks from which on a warning is given: several blocks of a map lie side by side in it."""


@dataclass(frozen=True, slots=True)
class _Request:
    """Choices of the user, and the cache that all scenes share."""

    sensor: str | None
    modality: Modality
    orientation: int | None
    scratch: Path
    cache: TileCache


def open_scenes(
    sources: Sequence[str],
    *,
    sensor: str | None,
    modality: Modality,
    orientation: int | None,
    scratch: Path,
) -> list[Scene]:
    """Open scenes; every file is checked and hashed.

    Args:
        sources: Each one a GeoTIFF file, a folder of tiles with a data set's names (a scene per strip), a
            partition of tar shards (folder with ``manifest.parquet``; a scene per strip), or the ``s3://`` or
            ``file://`` address of one of these.
        sensor: SAR sensor; None takes what names or manifests tell.
        modality: ``sar`` or ``optical``: of folders and shards, the images of that kind.
        orientation: 1 if imaged from the south, 0 from the north; None takes what the release's file of
            flags tells.
        scratch: Folder for what is fetched from buckets; what is there already is not fetched again.

    Returns:
        The scenes in the order of the sources, strips by their names. A bad tile or strip of several is left
        out, which a warning tells.

    Raises:
        ParameterError: If sensor or orientation is needed and unknown, or a source is of another kind.
        MissingInputError: If a source does not exist or holds no such images.
        BadDataError: If a file named by the user, or all of a folder, cannot be mapped.
        SourceUnavailableError: If a bucket does not answer.
        ResourceError: If the disk cannot take what is fetched.
    """
    if not all(sources) or not sources:  # an empty path would be the working folder
        raise ParameterError(
            "no scene is named", next_step="name a GeoTIFF file, a folder or an s3:// address"
        )
    if orientation not in (None, 0, 1):
        raise ParameterError(
            f"orientation {orientation}", next_step="give 0 (imaged from the north) or 1 (from the south)"
        )
    if sensor is not None:
        reading_of(sensor, modality)  # refuses an unknown sensor before anything is fetched
    request = _Request(sensor, modality, orientation, scratch, TileCache())
    return _with_unique_names([scene for source in sources for scene in _opened(source, request)])


def _opened(source: str, request: _Request) -> Sequence[GeoTiffScene | StripScene]:
    if CONTROL.search(source):
        raise ParameterError(
            f"{one_line(source)!r} holds control characters or backslashes", next_step="rename the file"
        )
    path = fetched(source, request.scratch, request.sensor, request.modality)
    if path.is_dir():
        if (path / MANIFEST).exists():
            return _strips(strips_of_partition(path, request.sensor, request.modality), source, request)
        files, sensor = files_of_folder(path, tell_left_out), request.sensor or marked_sensor(path)
        return _strips(
            strips_of_folder(files, sensor, request.modality, source),
            source,
            replace(request, sensor=sensor),
        )
    if not path.is_file():
        raise MissingInputError(
            f"{source} is missing" if not path.exists() else f"{source} is no file and no folder",
            next_step="name a GeoTIFF file, a folder of tiles, a partition of shards or an s3:// address",
        )
    return [_geotiff(path, request)]


def _geotiff(path: Path, request: _Request) -> GeoTiffScene:
    name = path.name
    sensor = request.sensor or marked_sensor(path) or sensor_of_name(name)
    if sensor is None:
        raise unknown_sensor(name)
    reading = reading_of(sensor, request.modality)
    dataset = dataset_of_name(name)
    parsed = None if dataset is None else dataset.parse(name)
    if parsed is not None and parsed.product != reading.product.name:
        raise ParameterError(
            f"{name} is a {parsed.product} image; {request.modality} images of {sensor} are "
            f"{reading.product.name}",
            next_step="give the modality of this file, or name another one",
        )
    with judged(name):
        file = WindowedGeoTiff(path, name)
        reading.check(file.profile)
        _warn_of_wide_blocks(file, name)
        place = place_of(file.profile)
        crs = check_place(name, file.profile.crs, place.native, place.grid)
        counts = survey_file(file, reading)
        counts.check(name)
    strip = "" if parsed is None else parsed.strip
    facts = SceneFacts(
        name=safe_name(path.stem),
        sensor=sensor,
        modality=request.modality,
        crs=crs,
        orientation=orientation_of_file(path, strip, request.modality)
        if request.orientation is None
        else request.orientation,
        acquired=acquired(strip),
        sources=(SourceFile(name, sha256_file(path)),),
        simulated=reading.sensor.simulated,
    )
    return GeoTiffScene(file, facts, place, reading, counts)


def _warn_of_wide_blocks(file: WindowedGeoTiff, name: str) -> None:
    rows, columns = file.block_shape
    if columns > _WIDEST_BLOCK_PX and rows < columns:
        log.warning(
            "%s is stored in rows of %d pixels, so that reading windows decodes it many times over; "
            "`rio cogeo create` makes a file of tiles that is read faster",
            name,
            columns,
        )


def _strips(strips: Sequence[StripFiles], source: str, request: _Request) -> list[StripScene]:
    scenes, refused = [], []
    total = sum(len(strip.files) for strip in strips)
    place = "/".join(Path(source).parts[-2:])  # a delivery's folder is a hash: its parent is its name
    with telling(f"check {place}", total, "tile") as advance:
        for strip in strips:
            try:
                scenes.append(_strip(strip, request, advance))
            except (BadDataError, ParameterError) as error:
                refused.append(error)
                tell_left_out(f"strip {strip.strip}", error)
    if not scenes:
        raise refused[0]
    return scenes


def _strip(strip: StripFiles, request: _Request, advance: Advance) -> StripScene:
    reading = reading_of(strip.sensor, request.modality)
    orientation = request.orientation
    if orientation is None:
        orientation = orientation_of_strip(strip, request.modality)
    tiles, refused = _checked(strip.files, reading, advance)
    if not tiles:
        raise refused[0]
    mosaic = lay_out(tiles)
    for tile, why in mosaic.beside:
        tell_left_out(tile.file.name, why)
    counts = Survey(reading)
    for tile, _, _ in mosaic.tiles:
        counts.merge(tile.survey)
    counts.check(f"strip {strip.strip}")
    facts = SceneFacts(
        name=safe_name(strip.strip),
        sensor=strip.sensor,
        modality=request.modality,
        crs=reading.sensor.crs,
        orientation=orientation,
        acquired=acquired(strip.strip),
        sources=tuple(SourceFile(tile.file.name, tile.sha256) for tile, _, _ in mosaic.tiles),
        simulated=reading.sensor.simulated,
    )
    readers = [(box, TileReader(tile, place, reading, request.cache)) for tile, box, place in mosaic.tiles]
    return StripScene(facts, mosaic.grid, readers)


def _checked(
    files: Sequence[TileFile], reading: Reading, advance: Advance
) -> tuple[list[CheckedTile], list[StormsightError]]:
    """Return the good tiles of a strip, and the errors of the bad ones."""

    def check(file: TileFile) -> CheckedTile | StormsightError:
        try:
            return check_tile(file, reading)
        except BadDataError as error:  # not what the machine cannot read: another attempt would map it
            return error

    tiles: list[CheckedTile] = []
    refused: list[StormsightError] = []
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for file, result in zip(files, pool.map(check, files), strict=True):
            if isinstance(result, CheckedTile):
                tiles.append(result)
            else:
                refused.append(result)
                tell_left_out(file.name, result)
            advance(1)
    return tiles, refused


def _with_unique_names(scenes: Sequence[GeoTiffScene | StripScene]) -> list[Scene]:
    """Number the names that come more than once: the outputs of a map are named by its scene."""
    taken: set[str] = set()
    for scene in scenes:
        name, number = scene.facts.name, 1
        while name in taken:
            number += 1
            name = f"{scene.facts.name}-{number}"
        taken.add(name)
        if name != scene.facts.name:
            scene.facts = replace(scene.facts, name=name)
    return list(scenes)
