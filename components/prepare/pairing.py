"""Files of a tile, joined by image id, never by order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pandas as pd

from components.contract.errors import BadDataError, ParameterError
from components.lib.datasets.base import Dataset, Product
from components.lib.datasets.sensors import dataset_of, get_sensor
from components.lib.files import require_input
from components.lib.foreign import one_line
from components.lib.geo.footprints import Labels, read_building_csv
from components.lib.geo.orientation import Orientation, Orientations, read_orientations
from components.lib.shards.manifest import FileRow, rows_of
from components.lib.tables import read_table
from components.lib.tasks.names import TaskName

Read = Callable[[FileRow], bytes]
"""Content of a manifest row."""

QUARANTINED = "quarantined"
NO_SAR = "no SAR tile"
NO_OPTICAL = "no optical tile"
NO_LABELS = "no labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSource:
    """The files of one tile.

    Attributes:
        acquisition: Catalogue id.
        sensor: Sensor name.
        image_id: Key that all files of the tile share.
        strip: Overflight that the tile was cut from.
        tile: Tile number, unique in its strip.
        orientation: The strip's flag.
        sar: Manifest row of the SAR tile.
        optical: Manifest row of the optical image, None for sensors without paired optical.
        labels: Manifest row of the task's GeoJSON, None where the release has none for this tile.
        summary: The tile's entry in the summary CSV, in pixels of the SAR tile; None where it has none, and
            for roads.
        labelled: True if anything is known about this tile's buildings, or roads.
    """

    acquisition: str
    sensor: str
    image_id: str
    strip: str
    tile: int
    orientation: Orientation
    sar: FileRow
    optical: FileRow | None
    labels: FileRow | None
    summary: Labels | None
    labelled: bool


@dataclass(slots=True)
class Pairing:
    """Tiles that can be prepared, and why the others cannot.

    Attributes:
        tiles: By sensor, then image id.
        excluded: (acquisition, image id) to the reason.
    """

    tiles: list[TileSource] = field(default_factory=list)
    excluded: dict[tuple[str, str], str] = field(default_factory=dict)


def read_quarantine(path: Path) -> set[tuple[str, str]]:
    """Read the (acquisition, image id) of the tiles that validation refused.

    Raises:
        MissingInputError: If validation has not run.
        BadDataError: If the file is no quarantine table.
    """
    require_input(path, made_by="verdict")
    try:
        table = read_table(path.read_bytes(), str(path))
        acquisition, image_id = table.require(("acquisition", "image_id"))
        keys = {(row.fields[acquisition], row.fields[image_id]) for row in table.even_rows()}
        if any(not part for key in keys for part in key):
            raise BadDataError("a row names no acquisition or no tile", next_step="")
    except (BadDataError, OSError) as error:
        why = error.message if isinstance(error, BadDataError) else error
        raise BadDataError(
            f"{path} is not a quarantine table: {why}", next_step="run `dvc repro --force verdict`"
        ) from error
    return keys


def pair(
    manifest: pd.DataFrame,
    quarantine: set[tuple[str, str]],
    read: Read,
    task: TaskName = "buildings",
) -> Pairing:
    """Join the manifest's files to tiles.

    Args:
        manifest: Manifest of the download stage.
        quarantine: Tiles to leave out.
        read: Content of a manifest row; asked for summary files only.
        task: Task whose labels are wanted.

    Raises:
        BadDataError: If a strip has no orientation flag, one sensor has the same tile twice, or the
            quarantine table names a tile that was not downloaded.
        ParameterError: If a data set has no labels of the task.
    """
    _refuse_strangers(manifest, quarantine)
    result = Pairing()
    by_acquisition: dict[str, list[FileRow]] = {}
    for row in rows_of(manifest):
        by_acquisition.setdefault(row.acquisition, []).append(row)
    for acquisition, rows in sorted(by_acquisition.items()):
        _pair_acquisition(acquisition, rows, quarantine, read, result, task=task)
    result.tiles.sort(key=lambda tile: (tile.sensor, tile.image_id))
    _drop_unlabelled(result)
    _refuse_twins(result.tiles)
    return result


def _refuse_strangers(manifest: pd.DataFrame, quarantine: set[tuple[str, str]]) -> None:
    """Refuse a table of another download: the tile that a damaged row means would be trained on."""
    if not quarantine:
        return
    strangers = quarantine - set(zip(manifest["acquisition"], manifest["name"], strict=True))
    if strangers:
        tiles = manifest[["acquisition", "sensor", "strip", "tile"]].drop_duplicates()
        strangers -= {
            (acquisition, dataset_of(sensor).image_id(strip, tile))
            for acquisition, sensor, strip, tile in tiles.itertuples(index=False)
        }
    if strangers:
        acquisition, name = min(strangers)
        raise BadDataError(
            f"quarantine.csv names {one_line(name)[:80]!r} of acquisition {one_line(acquisition)[:80]!r}, "
            f"which was not downloaded" + (f", and {len(strangers) - 1} more" if len(strangers) > 1 else ""),
            next_step="run `dvc repro --force validate`",
        )


def _pair_acquisition(
    acquisition: str,
    rows: list[FileRow],
    quarantine: set[tuple[str, str]],
    read: Read,
    result: Pairing,
    *,
    task: TaskName,
) -> None:
    dataset = dataset_of(rows[0].sensor)
    wanted = label_product(dataset, task)
    summaries = [row for row in rows if row.product == dataset.summaries.product]
    flags = _orientations(acquisition, dataset, summaries, read)
    buildings = _buildings(dataset, summaries, read) if task == "buildings" else {}
    for (strip, number), products in _by_tile(rows, dataset, quarantine).items():
        image_id = dataset.image_id(strip, number)
        reason = _obstacle(products, dataset, quarantined=(acquisition, image_id) in quarantine)
        if reason is not None:
            result.excluded[acquisition, image_id] = reason
            continue
        sar = products[dataset.sar.name]
        sensor = get_sensor(sar.sensor)
        labels, summary = products.get(wanted.name), buildings.get(image_id)
        result.tiles.append(
            TileSource(
                acquisition=acquisition,
                sensor=sensor.name,
                image_id=image_id,
                strip=strip,
                tile=int(number),
                orientation=_flag(flags, strip),
                sar=sar,
                optical=products[dataset.optical.name] if sensor.paired_optical else None,
                labels=labels,
                summary=summary,
                labelled=labels is not None or summary is not None,
            )
        )


def label_product(dataset: Dataset, task: TaskName) -> Product:
    """Return the product that holds a task's labels.

    Raises:
        ParameterError: If the data set has none.
    """
    if task == "buildings":
        return dataset.labels
    if dataset.roads is None:
        raise ParameterError(
            f"prepare.task: the data set {dataset.name} has no road labels",
            next_step="set prepare.task to buildings, or list acquisitions of a data set that declares roads",
        )
    return dataset.roads.product


def _by_tile(
    rows: list[FileRow], dataset: Dataset, quarantine: set[tuple[str, str]]
) -> dict[tuple[str, int], dict[str, FileRow]]:
    """Group the files by (strip, tile), then by product."""
    tiles: dict[tuple[str, int], dict[str, FileRow]] = {}
    for row in rows:
        # Validation refuses a misnamed file by its name, as it belongs to no tile.
        if row.product == dataset.summaries.product or (row.acquisition, row.name) in quarantine:
            continue
        products = tiles.setdefault((row.strip, row.tile), {})
        if row.product in products:
            image_id = dataset.image_id(row.strip, row.tile)
            if (row.acquisition, image_id) not in quarantine:
                raise BadDataError(
                    f"acquisition {row.acquisition}: tile {image_id} has {row.product} twice",
                    next_step="run validate, which quarantines such tiles",
                )
        products[row.product] = row
    return tiles


def _obstacle(products: Mapping[str, FileRow], dataset: Dataset, *, quarantined: bool) -> str | None:
    """Return why a tile cannot be prepared, or None."""
    if quarantined:
        return QUARANTINED
    if dataset.sar.name not in products:
        return NO_SAR
    paired = get_sensor(products[dataset.sar.name].sensor).paired_optical
    if paired and dataset.optical.name not in products:
        return NO_OPTICAL
    return None


def _drop_unlabelled(result: Pairing) -> None:
    """Leave out tiles without labels of the task, unless all these tiles of the sensor are such.

    Taking such a tile for an empty one would teach that buildings, or roads, are ground.
    """
    sensors = {tile.sensor for tile in result.tiles if tile.labelled}
    for tile in result.tiles:
        if tile.sensor in sensors and not tile.labelled:
            result.excluded[tile.acquisition, tile.image_id] = NO_LABELS
    result.tiles = [t for t in result.tiles if (t.acquisition, t.image_id) not in result.excluded]


def _refuse_twins(tiles: list[TileSource]) -> None:
    for first, second in pairwise(tiles):
        if (first.sensor, first.image_id) == (second.sensor, second.image_id):
            raise twins(first.image_id, first.sensor, first.acquisition, second.acquisition)


def twins(image_id: str, sensor: str, first: str, second: str) -> BadDataError:
    """Return the failure for a tile that two acquisitions have."""
    return BadDataError(
        f"tile {image_id} of {sensor} is in both {first} and {second}",
        next_step="remove one of the two acquisitions from params.yaml",
    )


def _orientations(acquisition: str, dataset: Dataset, summaries: list[FileRow], read: Read) -> Orientations:
    for row in summaries:
        if row.name == dataset.summaries.orientations:
            return read_orientations(read(row), f"{row.name} of {acquisition}")
    raise BadDataError(
        f"acquisition {acquisition} has no {dataset.summaries.orientations}, so the side of view is unknown",
        next_step="add the file to the catalogue entry's objects and download again",
    )


def _buildings(dataset: Dataset, summaries: list[FileRow], read: Read) -> dict[str, Labels]:
    for row in summaries:
        if row.name.endswith(dataset.summaries.buildings_ending):
            return read_building_csv(read(row), row.name)
    return {}


def _flag(orientations: Orientations, strip: str) -> Orientation:
    if strip not in orientations.flags:
        raise BadDataError(
            orientations.why_unknown(strip),
            next_step="run validate, which quarantines the strip's tiles, or correct its line",
        )
    return orientations.flags[strip]
