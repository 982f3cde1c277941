"""The index of the store, made from the tables of all partitions: rows, split and leaks.

It opens no image. Its result does not depend on the partitions, nor on the order in which acquisitions came.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from components.contract.errors import BadDataError
from components.lib.datasets.base import OfficialSplit
from components.lib.datasets.sensors import dataset_of, get_sensor
from components.lib.files import write_json
from components.lib.store.layout import SPLITS, write_index
from components.lib.tasks.names import TaskName
from components.prepare.pairing import NO_LABELS, twins
from components.prepare.parameters import PrepareParameters, SplitParameters
from components.prepare.pipeline import Folders, prepare_partition, read_tables
from components.prepare.split import assign, measure_leaks

_LOG = logging.getLogger(__name__)


def prepare(
    folders: Folders,
    parameters: PrepareParameters,
    partitions: Sequence[str],
    *,
    processes: int | None = None,
) -> dict[str, Any]:
    """Prepare all partitions and split them: :func:`prepare_partition` of each, then :func:`split_store`."""
    for partition in partitions:
        prepare_partition(folders, partition, parameters, processes=processes)
    return split_store(folders, parameters.split, partitions)


def split_store(folders: Folders, parameters: SplitParameters, partitions: Sequence[str]) -> dict[str, Any]:
    """Write the index of the store whose partitions are prepared.

    Args:
        folders: Folders of the stage.
        parameters: The groups of the split.
        partitions: Names of the partitions.

    Returns:
        Content of ``details.json``: counts and leaks.

    Raises:
        MissingInputError: If a partition was not prepared.
        BadDataError: If no tile is left, a tile is in two acquisitions, or tiles of a sensor differ in size.
    """
    tables = read_tables(folders.store, partitions)
    tiles, excluded = _with_labels(tables.tiles, tables.excluded)
    if tiles.empty:
        raise BadDataError(
            f"no tile is left to prepare; left out: {_counted(excluded) or 'nothing was downloaded'}",
            next_step="see data/validated/quarantine.csv and the products of the catalogue entries",
        )
    _refuse_twins(tiles)
    _refuse_other_sizes(tiles)
    index = tiles.assign(row=tiles.groupby("sensor").cumcount())
    index = index.join(assign(index, parameters))
    acquisitions = set(index["acquisition"])
    write_index(folders.store, index, {name: tables.partitions[name] for name in acquisitions}, tables.task)
    summary = summarise(index, excluded, tables.task)
    write_json(folders.metrics, headline(summary))
    write_json(folders.metrics.with_name("details.json"), summary)
    return summary


def _with_labels(tiles: pd.DataFrame, excluded: Counter[str]) -> tuple[pd.DataFrame, Counter[str]]:
    """Leave out the tiles without labels of a sensor that has labels, here or in another partition.

    A partition leaves them out itself where it has labels of that sensor, so that here whole acquisitions go.
    """
    labelled = set(tiles.loc[tiles["labelled"], "sensor"])
    unknown = tiles["sensor"].isin(labelled) & ~tiles["labelled"]
    more = Counter({NO_LABELS: int(unknown.sum())}) if unknown.any() else Counter[str]()
    return tiles[~unknown].reset_index(drop=True), excluded + more


def _refuse_twins(tiles: pd.DataFrame) -> None:
    again = tiles[tiles.duplicated(["sensor", "image_id"], keep=False)]
    if not again.empty:
        first, second = again.iloc[0], again.iloc[1]
        raise twins(first["image_id"], first["sensor"], first["acquisition"], second["acquisition"])


def _refuse_other_sizes(tiles: pd.DataFrame) -> None:
    """Refuse a tile of another size than its sensor's first: they are one layer."""
    first = tiles.groupby("sensor")[["height", "width"]].transform("first")
    other = tiles[(tiles[["height", "width"]] != first).any(axis=1)]
    if not other.empty:
        tile, expected = other.iloc[0], first.loc[other.index[0]]
        raise BadDataError(
            f"{tile['image_id']} of {tile['acquisition']} has {tile['height']} x {tile['width']} pixels on "
            f"the grid, the other {tile['sensor']} tiles {expected['height']} x {expected['width']}",
            next_step="run verdict, which quarantines such tiles",
        )


def summarise(
    index: pd.DataFrame, excluded: Mapping[str, int], task: TaskName = "buildings"
) -> dict[str, Any]:
    """Count by sensor and split, name what was left out and why, and measure the leaks."""
    sensors: dict[str, Any] = {}
    for name, tiles in index.groupby("sensor"):
        counts = {split: int((tiles["split"] == split).sum()) for split in SPLITS}
        for split in ("train", "selection", "test"):
            if counts[split] == 0:
                _LOG.warning("%s has no %s tile: no stage that needs one can run on it", name, split)
        sensors[str(name)] = {
            **counts,
            "clean": int(tiles["clean"].sum()),
            task: int(tiles["n_buildings"].sum()),
            "nodata_share": float(tiles["nodata_share"].mean()),
        }
    return {
        "tiles": len(index),
        "sensors": sensors,
        "excluded": _counted(excluded),
        "leak": measure_leaks(index, _official_split(list(sensors))),
        "simulated": any(get_sensor(name).simulated for name in sensors),
    }


def headline(summary: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of tiles, and of those on ground that no train tile saw, of all sensors together."""
    return {
        "tiles": summary["tiles"],
        "clean": sum(sensor["clean"] for sensor in summary["sensors"].values()),
    }


def _official_split(sensors: Sequence[str]) -> OfficialSplit:
    """Return the one official split of all data sets in the store.

    Raises:
        BadDataError: If they have different ones: a store is split by one rule.
    """
    splits = {dataset_of(sensor).split for sensor in sensors}
    if len(splits) > 1:
        raise BadDataError(
            f"{', '.join(sensors)} belong to data sets with different official splits",
            next_step="prepare acquisitions of one data set at a time",
        )
    return splits.pop()


def _counted(reasons: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(reasons.items()))
