"""Scores of one network on one sensor's tiles: pixels and objects counted by tile and ground block.

The task is the store's. Roads have no objects: their table of objects is empty, and beside pixels their
scores have the sums within a tolerance, and road graphs where they are asked for
(:mod:`components.lib.scoring.graphs`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from shapely.geometry.base import BaseGeometry
from tqdm import tqdm

from components.contract.errors import BadDataError
from components.lib.config.scoring import ScoringSettings
from components.lib.geo.geoarray import GeoArray
from components.lib.inference.tiles import predict_tiles
from components.lib.inference.views import views_of
from components.lib.metrics.counts import count_pixels
from components.lib.metrics.probabilities import HALF, ProbabilityHistogram
from components.lib.nets.network import SegmentationNetwork
from components.lib.roads.buffers import BufferSums
from components.lib.scoring.blocks import block_parts
from components.lib.scoring.nodata import nodata_region
from components.lib.scoring.tables import TILE, GraphScore, PartCounts, TileScore, assemble
from components.lib.store.store import Store
from components.lib.tasks.base import Task
from components.lib.tasks.registry import load_task

BACKLOG = 32
"""Tiles that may wait for their polygons, so that a fast GPU cannot fill the memory with maps."""

GraphScorer = Callable[[str, GeoArray, float, BaseGeometry | None], GraphScore]
"""Scorer of a tile's road graph: see :meth:`components.lib.scoring.graphs.RoadGraphs.score`."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts and matches of one network on one set of tiles.

    Attributes:
        tiles: One row per tile and ground block: ``TILE_KEYS``; counts of the tile's valid pixels in the
            block, ``px_tp, px_fp, px_fn, px_tn`` at the model's threshold and ``px_tp_half, px_fp_half,
            px_fn_half`` at 0.5; the building counts ``tp, fp, fn`` of the SpaceNet metric, matched over the
            whole tile; and ``vectorise``: the vectoriser in use, ``watershed`` or ``plain``. A match or a
            miss counts in the block of the true building's centroid, a false alarm in that of its own.
        objects: One row per building large enough to count: ``OBJECT_KEYS`` (``location``: the block of its
            centroid), kind (``truth`` or ``proposal``), matched, area_px, confidence (NaN for truth), iou (0
            if unmatched).
        histograms: Probabilities of each tile's pixels that count, by acquisition and image id.
        relaxed: Sums of scores within a tolerance, by acquisition and image id; empty for a task without.
        graphs: Scores of road graphs, by acquisition and image id; empty where they are not asked for.
    """

    tiles: pd.DataFrame
    objects: pd.DataFrame
    histograms: Mapping[tuple[str, str], ProbabilityHistogram] = field(default_factory=dict)
    relaxed: Mapping[tuple[str, str], BufferSums] = field(default_factory=dict)
    graphs: Mapping[tuple[str, str], GraphScore] = field(default_factory=dict)

    def clean(self) -> Scores:
        """Return the scores of the tiles on ground that no train tile saw."""
        tiles = self.tiles[self.tiles["clean"]]
        names = tiles[list(TILE)].drop_duplicates()
        chosen = set(names.itertuples(index=False, name=None))
        return Scores(
            tiles.reset_index(drop=True),
            self.objects.merge(names, on=list(TILE)),
            {name: histogram for name, histogram in self.histograms.items() if name in chosen},
            {name: sums for name, sums in self.relaxed.items() if name in chosen},
            {name: score for name, score in self.graphs.items() if name in chosen},
        )

    def histogram(self) -> ProbabilityHistogram:
        """Return the probabilities of all tiles together."""
        return sum(self.histograms.values(), start=ProbabilityHistogram.empty())

    def relaxed_sums(self) -> BufferSums | None:
        """Return the sums within a tolerance of all tiles together; None for a task without."""
        return sum(self.relaxed.values(), start=BufferSums()) if self.relaxed else None


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
        views=views_of(settings.scales, flip=settings.flip, turn=settings.turns(net.config.modality)),
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
    task: Task | None = None,
    graphs: GraphScorer | None = None,
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
        graphs: Scorer of the tiles' road graphs; None leaves them out.

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
        graphs=graphs,
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
    task: Task | None = None,
    graphs: GraphScorer | None = None,
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
        task: Target that the network predicts; by default the store's.
        graphs: Scorer of the tiles' road graphs; None leaves them out.

    Raises:
        BadDataError: If there is no tile to score, or the network is of another task than the store.
        ValueError: If the variants predict differently.
    """
    if len({(v.window_px, v.batch, v.scales, v.flip, v.turn) for v in variants}) != 1:
        raise ValueError("one or more variants that predict alike are needed")
    if len(rows) == 0:
        raise BadDataError(
            f"sensor {sensor}: there is no tile to score",
            next_step="check the split in data/prepared/index.parquet (prepare.split in params.yaml)",
        )
    task = task or load_task(store.task)
    index = _tiles_of(store, sensor, rows)
    target = store.layer(sensor, "target")
    places = {int(place["row"]): place for place in index.to_dict("records")}
    thresholds = [variant.threshold_of(net.config.threshold) for variant in variants]

    def score_tile(row: int, prediction: GeoArray) -> list[TileScore]:
        packed = target[row]
        return [
            _score_tile(task, prediction, packed, places[row], settings, threshold, graphs)
            for settings, threshold in zip(variants, thresholds, strict=True)
        ]

    pending: list[Future[list[TileScore]]] = []
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
    names = list(index[list(TILE)].itertuples(index=False, name=None))
    scores = []
    for k, settings in enumerate(variants):
        own = [tile[k] for tile in results]
        tiles, objects = assemble(task, index, store.footprints, own, settings)
        histograms = {name: tile.histogram for name, tile in zip(names, own, strict=True)}
        pairs = list(zip(names, own, strict=True))
        relaxed = {name: tile.relaxed for name, tile in pairs if tile.relaxed is not None}
        drawn = {name: tile.graph for name, tile in pairs if tile.graph is not None}
        scores.append(Scores(tiles, objects, histograms, relaxed, drawn))
    return scores


def _score_tile(  # noqa: PLR0917 - one tile, its truth and place, and the rules
    task: Task,
    prediction: GeoArray,
    packed: npt.NDArray[np.uint8],
    place: Mapping[Hashable, Any],
    settings: ScoringSettings,
    threshold: float,
    graphs: GraphScorer | None,
) -> TileScore:
    """Count one tile's pixels by ground block and draw its objects.

    Args:
        task: Target that is scored.
        prediction: Probabilities as stored, turned or not.
        packed: Layer ``target`` of the tile, (H, W, 1), in the same orientation.
        place: Row of the store's index.
        settings: Vectoriser and size of the ground blocks.
        threshold: Probability above which a pixel belongs to the target.
        graphs: Scorer of the tile's road graph; None for none.
    """
    valid, truth = prediction.valid & task.counted_mask(packed), task.truth_mask(packed)
    predicted, half = task.predicted_mask(prediction, threshold), task.predicted_mask(prediction, HALF)
    parts = block_parts(
        x_left_m=float(place["x_left_m"]),
        y_top_m=float(place["y_top_m"]),
        gsd_m=float(place["gsd_m"]),
        height=prediction.shape[0],
        width=prediction.shape[1],
        orientation=prediction.orientation,
        block_m=settings.block_m,
    )
    hidden = nodata_region(prediction.north_up().valid)
    counted = replace(prediction, valid=valid)
    return TileScore(
        parts=[
            PartCounts(
                block=part.block,
                pixels=count_pixels(predicted[cut], truth[cut], valid[cut]),
                half=count_pixels(half[cut], truth[cut], valid[cut]),
            )
            for part in parts
            for cut in ((part.rows, part.cols),)
        ],
        polygons=task.draw(prediction, settings, threshold),
        vectoriser=task.vectoriser(prediction, settings),
        histogram=ProbabilityHistogram.of(task.probability(prediction), truth, valid),
        relaxed=task.relaxed(predicted, truth, valid, float(place["gsd_m"])),
        hidden=hidden,
        graph=graphs(str(place["image_id"]), counted, threshold, hidden) if graphs else None,
    )


def _tiles_of(store: Store, sensor: str, rows: Sequence[int] | npt.NDArray[np.integer]) -> pd.DataFrame:
    """Return the index of the given rows, in their order."""
    index = store.index
    own = index[index["sensor"] == sensor].set_index("row", drop=False)
    chosen: pd.DataFrame = own.loc[[int(row) for row in rows]].reset_index(drop=True)
    return chosen
