"""Scores of one network on one sensor's tiles: counts per tile, and the match of every building."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import torch
from tqdm import tqdm

from components.contract.errors import BadDataError
from components.lib.config.scoring import ScoringSettings, Vectoriser
from components.lib.geo.geoarray import GeoArray
from components.lib.geo.vectorise import Polygons
from components.lib.inference.tiles import predict_tiles
from components.lib.inference.views import views_of
from components.lib.metrics.counts import Counts, count_pixels
from components.lib.metrics.spacenet_f1 import Matches
from components.lib.nets.network import SegmentationNetwork
from components.lib.store.store import Store
from components.lib.tasks.base import Task
from components.lib.tasks.buildings import BUILDINGS

_TileScore: TypeAlias = tuple[Counts, Polygons, Vectoriser]
"""Pixel counts of one tile, its polygons before they meet the truth, and what drew them."""

TILE_KEYS = ("acquisition", "image_id", "sensor", "location", "orientation", "nodata_share", "clean")
"""Columns of the index that every score table carries along."""

BACKLOG = 32
"""Tiles that may wait for their polygons, so that a fast GPU cannot fill the memory with maps."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts and matches of one network on one set of tiles.

    Attributes:
        tiles: One row per tile: ``TILE_KEYS``, pixel counts ``px_tp, px_fp, px_fn, px_tn`` over the whole
            tile (no-data included, where nothing is predicted), the building counts ``tp, fp, fn`` of the
            SpaceNet metric, and ``vectorise``: the vectoriser in use, ``watershed`` or ``plain``.
        objects: One row per building large enough to count: acquisition, image_id, sensor, location, kind
            (``truth`` or ``proposal``), matched, area_px, confidence (NaN for truth), iou (0 if unmatched).
    """

    tiles: pd.DataFrame
    objects: pd.DataFrame

    def clean(self) -> Scores:
        """Return the scores of the tiles on ground that no train tile saw."""
        tiles = self.tiles[self.tiles["clean"]]
        keys = ["acquisition", "image_id"]
        objects = self.objects.merge(tiles[keys], on=keys)
        return Scores(tiles.reset_index(drop=True), objects)


def predict_by_settings(
    net: SegmentationNetwork,
    store: Store,
    *,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    settings: ScoringSettings,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
) -> Iterator[tuple[int, GeoArray]]:
    """Yield each tile's row and prediction, as scoring sees it.

    Args:
        net: As for :func:`score_model`, as are the others.
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        rows: Rows of the sensor's arrays.
        settings: Windows and views.
        device: Device of the prediction.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.
    """
    return predict_tiles(
        net,
        store,
        sensor,
        rows,
        window_px=settings.window_px,
        batch=settings.batch,
        device=device,
        statistics_of=statistics_of,
        views=views_of(settings.scales, flip=settings.flip),
    )


def score_model(
    net: SegmentationNetwork,
    store: Store,
    *,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    settings: ScoringSettings,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
    task: Task = BUILDINGS,
) -> Scores:
    """Predict, vectorise and score the given tiles.

    Args:
        net: The network; its modality says which layer is read.
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        rows: Rows of the sensor's arrays.
        settings: The section `scoring`.
        device: Device of the prediction.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.
        task: Target that the network predicts.

    Raises:
        BadDataError: If there is no tile to score.
    """
    return score_variants(
        net,
        store,
        sensor=sensor,
        rows=rows,
        variants=[settings],
        device=device,
        statistics_of=statistics_of,
        task=task,
    )[0]


def score_variants(
    net: SegmentationNetwork,
    store: Store,
    *,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    variants: Sequence[ScoringSettings],
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
    task: Task = BUILDINGS,
) -> list[Scores]:
    """Predict every tile once, then vectorise and score it by each of several settings.

    Args:
        net: As for :func:`score_model`, as are the others.
        store: The prepared tiles.
        sensor: Sensor of the tiles.
        rows: Rows of the sensor's arrays.
        variants: Settings that predict alike (window, batch, views).
        device: Device of the prediction.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.
        task: Target that the network predicts.

    Raises:
        BadDataError: If there is no tile to score.
        ValueError: If the variants predict differently.
    """
    if len({(v.window_px, v.batch, v.scales, v.flip) for v in variants}) != 1:
        raise ValueError("one or more variants that predict alike are needed")
    if len(rows) == 0:
        raise BadDataError(
            f"sensor {sensor}: there is no tile to score",
            next_step="check the split in data/prepared/index.parquet (prepare.split in params.yaml)",
        )
    target = store.layer(sensor, "target")

    def score_tile(row: int, prediction: GeoArray) -> list[_TileScore]:
        truth = task.truth_mask(target[row])
        return [
            (
                count_pixels(task.predicted_mask(prediction, settings), truth),
                task.draw(prediction, settings),
                task.vectoriser(prediction, settings),
            )
            for settings in variants
        ]

    pending: list[Future[list[_TileScore]]] = []
    # Polygons are drawn while the next windows are predicted: GEOS, GDAL and SciPy release the lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        predictions = predict_by_settings(
            net,
            store,
            sensor=sensor,
            rows=rows,
            settings=variants[0],
            device=device,
            statistics_of=statistics_of,
        )
        bar = tqdm(
            predictions, desc=f"score {sensor}", total=len(rows), unit="tile", disable=None, leave=False
        )
        for row, prediction in bar:
            pending.append(pool.submit(score_tile, row, prediction))
            if len(pending) > BACKLOG:
                pending[-BACKLOG].result()
    results = [future.result() for future in pending]
    index = _tiles_of(store, sensor, rows)
    return [
        _assemble(task, index, store.footprints, [tile[k] for tile in results], settings)
        for k, settings in enumerate(variants)
    ]


def _tiles_of(store: Store, sensor: str, rows: Sequence[int] | npt.NDArray[np.integer]) -> pd.DataFrame:
    """Return the index of the given rows, in their order."""
    index = store.index
    own = index[index["sensor"] == sensor].set_index("row", drop=False)
    chosen: pd.DataFrame = own.loc[[int(row) for row in rows]].reset_index(drop=True)
    return chosen


def _assemble(
    task: Task,
    index: pd.DataFrame,
    footprints: pd.DataFrame,
    results: list[_TileScore],
    settings: ScoringSettings,
) -> Scores:
    position = index[["acquisition", "image_id"]].assign(tile=np.arange(len(index)))
    truth = footprints.merge(position, on=["acquisition", "image_id"])
    truth_geometry = shapely.from_wkt(truth["wkt_px"].to_numpy(dtype=object))
    truth_tile = truth["tile"].to_numpy()
    geometry = np.concatenate([polygons.geometries for _, polygons, _ in results])
    confidence = np.concatenate([polygons.confidences for _, polygons, _ in results])
    tile = np.repeat(np.arange(len(index)), [len(polygons) for _, polygons, _ in results])
    matches = task.match(
        truth_geometry,
        geometry,
        truth_tiles=truth_tile,
        proposal_tiles=tile,
        confidence=confidence,
        settings=settings,
    )
    objects = pd.concat(
        [
            _objects(
                index.iloc[truth_tile[matches.truth_kept]],
                kind="truth",
                matched=matches.truth_matched[matches.truth_kept],
                area_px=shapely.area(truth_geometry[matches.truth_kept]),
                confidence=np.nan,
                iou=matches.truth_iou[matches.truth_kept],
            ),
            _objects(
                index.iloc[tile[matches.proposal_kept]],
                kind="proposal",
                matched=matches.proposal_matched[matches.proposal_kept],
                area_px=shapely.area(geometry[matches.proposal_kept]),
                confidence=confidence[matches.proposal_kept],
                iou=matches.proposal_iou[matches.proposal_kept],
            ),
        ],
        ignore_index=True,
    )
    return Scores(_tile_table(index, results, matches, truth_tile, tile), objects)


def _objects(tile_of_each: pd.DataFrame, **columns: str | float | npt.NDArray[np.generic]) -> pd.DataFrame:
    keys = ["acquisition", "image_id", "sensor", "location"]
    return tile_of_each[keys].reset_index(drop=True).assign(**columns)


def _tile_table(
    index: pd.DataFrame,
    results: list[_TileScore],
    matches: Matches,
    truth_tile: npt.NDArray[np.integer],
    proposal_tile: npt.NDArray[np.integer],
) -> pd.DataFrame:
    def count(tile: npt.NDArray[np.integer], chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(tile[chosen], minlength=len(index)).astype(np.int64)

    return index[list(TILE_KEYS)].assign(
        px_tp=[pixels.tp for pixels, _, _ in results],
        px_fp=[pixels.fp for pixels, _, _ in results],
        px_fn=[pixels.fn for pixels, _, _ in results],
        px_tn=[pixels.tn for pixels, _, _ in results],
        tp=count(proposal_tile, matches.proposal_matched),
        fp=count(proposal_tile, matches.proposal_kept & ~matches.proposal_matched),
        fn=count(truth_tile, matches.truth_kept & ~matches.truth_matched),
        vectorise=[vectoriser for _, _, vectoriser in results],
    )
