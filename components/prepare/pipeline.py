"""The stage: raw shards and quarantine in, training store and metrics out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from components.contract.errors import BadDataError
from components.lib.datasets.base import OfficialSplit
from components.lib.datasets.sensors import dataset_of, get_sensor
from components.lib.files import atomic_directory, write_json
from components.lib.shards.manifest import read_manifest
from components.lib.shards.reader import ShardReader
from components.lib.store.layout import FOOTPRINT_COLUMNS, SPLITS, write_tables
from components.prepare.pairing import Pairing, pair, read_quarantine
from components.prepare.parameters import PrepareParameters
from components.prepare.split import assign, measure_leaks
from components.prepare.writing import WrittenTile, plan, write_tiles

_LOG = logging.getLogger(__name__)


def prepare(
    raw: Path,
    quarantine: Path,
    store: Path,
    metrics: Path,
    parameters: PrepareParameters,
    *,
    processes: int | None = None,
) -> dict[str, Any]:
    """Write the training store of everything in ``raw`` that is not quarantined.

    Args:
        raw: Output of the download stage.
        quarantine: ``quarantine.csv`` of the validate stage.
        store: Folder to write, replaced whole or not at all.
        metrics: JSON file for the few numbers that the DVC metric shows; ``details.json`` beside it has all.
        parameters: Section ``prepare``.
        processes: See :func:`components.prepare.writing.write_tiles`.

    Returns:
        Content of ``details.json``: counts and leaks.

    Raises:
        MissingInputError: If an earlier stage has not run.
        BadDataError: If no tile is left, or one is damaged that validation let through.
    """
    manifest = read_manifest(raw)
    refused = read_quarantine(quarantine)
    with ShardReader(raw) as reader:
        pairing = pair(manifest, refused, reader.read)
        if not pairing.tiles:
            raise BadDataError(
                f"no tile is left to prepare; left out: {_reasons(pairing) or 'nothing was downloaded'}",
                next_step="see data/validated/quarantine.csv and the products of the catalogue entries",
            )
        jobs, layouts = plan(pairing.tiles, reader.read)
    with atomic_directory(store) as folder:
        written = write_tiles(raw, folder, jobs, layouts, parameters, processes=processes)
        index = build_index(written, parameters)
        write_tables(folder, index, _footprints(written))
        summary = summarise(index, pairing)
    write_json(metrics, headline(summary))
    write_json(metrics.with_name("details.json"), summary)
    return summary


def build_index(written: Sequence[WrittenTile], parameters: PrepareParameters) -> pd.DataFrame:
    """Build the store's index: facts of every tile and its place in the split."""
    index = pd.DataFrame(
        [
            {
                "acquisition": tile.job.source.acquisition,
                "sensor": tile.job.source.sensor,
                "image_id": tile.job.source.image_id,
                "strip": tile.job.source.strip,
                "tile": tile.job.source.tile,
                "orientation": tile.job.source.orientation,
                "row": tile.job.row,
                "x_left_m": tile.x_left_m,
                "y_top_m": tile.y_top_m,
                "gsd_m": tile.gsd_m,
                "height": tile.height,
                "width": tile.width,
                "nodata_share": tile.nodata_share,
                "n_buildings": tile.n_buildings,
                "has_optical": tile.job.source.optical is not None,
            }
            for tile in written
        ]
    )
    return index.join(assign(index, parameters.split))


def summarise(index: pd.DataFrame, pairing: Pairing) -> dict[str, Any]:
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
            "buildings": int(tiles["n_buildings"].sum()),
            "nodata_share": float(tiles["nodata_share"].mean()),
        }
    return {
        "tiles": len(index),
        "sensors": sensors,
        "excluded": _reasons(pairing),
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


def _footprints(written: Sequence[WrittenTile]) -> pd.DataFrame:
    rows = [
        (source.acquisition, source.sensor, source.image_id, number, *footprint)
        for tile in written
        for source in (tile.job.source,)
        for number, footprint in enumerate(tile.footprints)
    ]
    return pd.DataFrame(rows, columns=list(FOOTPRINT_COLUMNS))


def _reasons(pairing: Pairing) -> dict[str, int]:
    return dict(sorted(Counter(pairing.excluded.values()).items()))
