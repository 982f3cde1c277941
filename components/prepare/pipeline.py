"""Preparing of a partition: shards and quarantine in, the arrays and tables of its tiles out.

Nothing here depends on the other partitions: what does, from the split to the rows of the store, is made from
the tables of all of them (:mod:`.store`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from components.contract.errors import BadDataError, first_line
from components.lib.files import atomic_directory, read_json, require_input, write_json
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from components.lib.store.layout import (
    FOOTPRINT_COLUMNS,
    FOOTPRINTS_FILE,
    INDEX_COLUMNS,
    LAYERS_FOLDER,
    ROAD_COLUMNS,
    ROADS_FILE,
    TABLES,
    TASK_ATTRIBUTE,
    with_task,
    write_footprints,
    write_roads,
)
from components.lib.tasks.names import TaskName
from components.prepare.pairing import pair, read_quarantine
from components.prepare.parameters import PrepareParameters
from components.prepare.writing import WrittenTile, plan, write_tiles

_LOG = logging.getLogger(__name__)

TILES_FILE, EXCLUDED_FILE, ACQUISITIONS_FILE = "tiles.parquet", "excluded.json", "acquisitions.json"

OF_THE_STORE = ("row", "split", "kang", "clean")
"""Columns of the index that need the tiles of all partitions."""

TILE_COLUMNS: Mapping[str, str] = {
    **{name: kind for name, kind in INDEX_COLUMNS.items() if name not in OF_THE_STORE},
    "labelled": "bool",
}
"""Columns of a partition's ``tiles.parquet``: facts of its tiles, and whether anything is known about their
buildings."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Folders that the stages read and write, relative to the repository root.

    Attributes:
        raw: Shards and manifests, with a folder for each partition.
        validated: Quarantine lists, with a folder for each partition.
        store: The store.
        metrics: JSON file for the few numbers that the DVC metric shows; ``details.json`` beside it has all.
    """

    raw: Path = Path("data/raw")
    validated: Path = Path("data/validated")
    store: Path = Path("data/prepared")
    metrics: Path = Path("reports/prepare/metrics.json")


def prepare_partition(
    folders: Folders, partition: str, parameters: PrepareParameters, *, processes: int | None = None
) -> int:
    """Write the arrays and tables of everything in a partition that is not quarantined.

    The partition's folders below ``layers`` and ``tables`` of the store are replaced, each whole or not at
    all.

    Args:
        folders: Folders of all partitions.
        partition: Name of the partition.
        parameters: Section ``prepare``.
        processes: See :func:`components.prepare.writing.write_tiles`.

    Returns:
        Number of tiles, which may be none.

    Raises:
        MissingInputError: If an earlier stage has not run.
        BadDataError: If a tile is damaged that validation let through.
    """
    raw, store = folders.raw / partition, folders.store
    manifest = read_manifest(raw)
    refused = read_quarantine(folders.validated / partition / "quarantine.csv")
    with ShardReader(raw) as reader:
        pairing = pair(manifest, refused, reader.read, parameters.task)
        jobs, layouts = plan(pairing.tiles, reader.read)
    with atomic_directory(store / LAYERS_FOLDER / partition) as folder:
        written = write_tiles(raw, folder, jobs, layouts, parameters, processes=processes)
        # A folder without a file would be no output for DVC.
        write_json(folder / ACQUISITIONS_FILE, sorted({tile.acquisition for tile in pairing.tiles}))
    with atomic_directory(store / TABLES / partition) as folder:
        with_task(_tile_table(written), parameters.task).to_parquet(folder / TILES_FILE, index=False)
        write_footprints(
            folder / FOOTPRINTS_FILE, _objects(written, FOOTPRINT_COLUMNS, lambda tile: tile.footprints)
        )
        if parameters.task == "roads":
            write_roads(folder / ROADS_FILE, _objects(written, ROAD_COLUMNS, lambda tile: tile.roads))
        write_json(folder / EXCLUDED_FILE, dict(sorted(Counter(pairing.excluded.values()).items())))
    _LOG.info("%s: %d tiles prepared, %d left out", partition, len(written), len(pairing.excluded))
    return len(written)


@dataclass(frozen=True, slots=True)
class PreparedTables:
    """Tables of all partitions together.

    Attributes:
        tiles: Columns ``TILE_COLUMNS``, by sensor and image id.
        partitions: Partition by acquisition that has a tile.
        excluded: Number of tiles that were left out, by reason.
        task: Task of the labels.
    """

    tiles: pd.DataFrame
    partitions: dict[str, str]
    excluded: Counter[str]
    task: TaskName


def read_tables(store: Path, partitions: Sequence[str]) -> PreparedTables:
    """Read the tables of all partitions; what else lies in the folder is not read.

    Raises:
        MissingInputError: If a partition was not prepared.
        BadDataError: If a table is damaged, or partitions were prepared for different tasks.
    """
    parts: list[pd.DataFrame] = []
    found: dict[str, str] = {}
    excluded: Counter[str] = Counter()
    for partition in partitions:
        folder = store / TABLES / partition
        parts.append(_read_tiles(folder / TILES_FILE, partition))
        found |= dict.fromkeys(parts[-1]["acquisition"], partition)
        excluded.update(read_json(folder / EXCLUDED_FILE, made_by=f"prepare@{partition}"))
    task = _task_of(parts, partitions)
    tiles = pd.concat(parts, ignore_index=True)
    tiles = tiles.sort_values(["sensor", "image_id", "acquisition"], kind="stable", ignore_index=True)
    return PreparedTables(tiles, found, excluded, task)


def _task_of(tables: Sequence[pd.DataFrame], partitions: Sequence[str]) -> TaskName:
    """Return the task that all partitions were prepared for."""
    named = [str(table.attrs.get(TASK_ATTRIBUTE, "buildings")) for table in tables]
    if len(set(named)) > 1:
        told = ", ".join(f"{partition} {task}" for partition, task in zip(partitions, named, strict=True))
        raise BadDataError(
            f"partitions were prepared for different tasks: {told}",
            next_step="run `dvc repro prepare`, which prepares all of them for prepare.task",
        )
    return "roads" if "roads" in named else "buildings"


def _read_tiles(path: Path, partition: str) -> pd.DataFrame:
    require_input(path, made_by=f"prepare@{partition}")
    try:
        return pd.read_parquet(path)[list(TILE_COLUMNS)].astype(dict(TILE_COLUMNS))
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise BadDataError(
            f"{path} is no table of tiles: {first_line(error)[:200]}",
            next_step=f"run `dvc repro --force prepare@{partition}`",
        ) from error


def _tile_table(written: Sequence[WrittenTile]) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "acquisition": tile.job.source.acquisition,
            "sensor": tile.job.source.sensor,
            "image_id": tile.job.source.image_id,
            "strip": tile.job.source.strip,
            "tile": tile.job.source.tile,
            "orientation": tile.job.source.orientation,
            "position": tile.job.position,
            "x_left_m": tile.x_left_m,
            "y_top_m": tile.y_top_m,
            "gsd_m": tile.gsd_m,
            "height": tile.height,
            "width": tile.width,
            "nodata_share": tile.nodata_share,
            "n_buildings": tile.n_buildings,
            "has_optical": tile.job.source.optical is not None,
            "labelled": tile.job.source.labelled,
        }
        for tile in written
    ]
    return pd.DataFrame(rows, columns=list(TILE_COLUMNS)).astype(dict(TILE_COLUMNS))


def _objects(
    written: Sequence[WrittenTile],
    columns: Iterable[str],
    objects_of: Callable[[WrittenTile], Sequence[tuple[object, ...]]],
) -> pd.DataFrame:
    """Return a row for each footprint or road of all tiles, numbered within its tile.

    Args:
        written: The tiles.
        columns: Columns of the table.
        objects_of: Returns the objects of a tile, each the columns behind its number.
    """
    rows = [
        (source.acquisition, source.sensor, source.image_id, number, *found)
        for tile in written
        for source in (tile.job.source,)
        for number, found in enumerate(objects_of(tile))
    ]
    return pd.DataFrame(rows, columns=list(columns))
