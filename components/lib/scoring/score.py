"""One network on one sensor's tiles: counts per tile and the fate of every building."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
import torch
from tqdm import tqdm

from components.lib.errors import BadDataError
from components.lib.geo.vectorise import Proposals, vectorise
from components.lib.metrics import Confusion, Matches, match_polygons, pixel_confusion
from components.lib.nets import SegmentationNetwork
from components.lib.scoring.predict import predict_tiles
from components.lib.scoring.settings import ScoringSettings
from components.lib.store import Store

TILE_KEYS = ("acquisition", "image_id", "sensor", "location", "orientation", "nodata_share", "clean")
"""Columns of the index that every score table carries along."""

BACKLOG = 32
"""Tiles that may wait for their polygons, so that a fast GPU cannot fill the memory with maps."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What one network did on one set of tiles.

    Attributes:
        tiles: One row per tile: ``TILE_KEYS``, pixel counts ``px_tp, px_fp, px_fn, px_tn`` over the whole
            tile (no-data included, where nothing is predicted), and the building counts ``tp, fp, fn`` of
            the SpaceNet metric.
        objects: One row per building large enough to count: acquisition, image_id, sensor, location, kind
            (``truth`` or ``proposal``), matched, area_px, confidence (NaN for truth), iou (0 if unmatched).
    """

    tiles: pd.DataFrame
    objects: pd.DataFrame

    def clean(self) -> Scores:
        """Only the tiles on ground that no train tile saw."""
        tiles = self.tiles[self.tiles["clean"]]
        keys = ["acquisition", "image_id"]
        objects = self.objects.merge(tiles[keys], on=keys)
        return Scores(tiles.reset_index(drop=True), objects)


def score_model(
    net: SegmentationNetwork,
    store: Store,
    *,
    sensor: str,
    rows: Sequence[int] | npt.NDArray[np.integer],
    settings: ScoringSettings,
    device: torch.device | str = "cpu",
    statistics_of: str | None = None,
) -> Scores:
    """Predict, vectorise and score the given tiles.

    Args:
        net: The network; its modality says which layer is read.
        store: The prepared tiles.
        sensor: Whose tiles.
        rows: Rows of the sensor's arrays.
        settings: Thresholds, fixed beforehand.
        device: Where to predict.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.

    Raises:
        BadDataError: If there is no tile to score.
    """
    if len(rows) == 0:
        raise BadDataError(
            f"sensor {sensor}: there is no tile to score",
            next_step="check the split in data/prepared/index.parquet (prepare.split in params.yaml)",
        )
    index = _tiles_of(store, sensor, rows)
    orientation = dict(zip(index["row"], index["orientation"], strict=True))
    target = store.layer(sensor, "target")

    def judge(row: int, probability: npt.NDArray[np.float32]) -> tuple[Confusion, Proposals]:
        truth = target[row, :, :, 0] > 0
        return pixel_confusion(probability > settings.threshold, truth), vectorise(
            probability,
            orientation=orientation[row],
            threshold=settings.threshold,
            min_area_px=settings.min_area_px,
            simplify_px=settings.simplify_px,
        )

    pending: list[Future[tuple[Confusion, Proposals]]] = []
    # Polygons are drawn while the next windows are predicted: GEOS, GDAL and SciPy release the lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        predictions = predict_tiles(
            net,
            store,
            sensor,
            rows,
            window_px=settings.window_px,
            batch=settings.batch,
            device=device,
            statistics_of=statistics_of,
        )
        for row, probability in tqdm(
            predictions, desc=f"score {sensor}", total=len(rows), unit="tile", disable=None, leave=False
        ):
            pending.append(pool.submit(judge, row, probability))
            if len(pending) > BACKLOG:
                pending[-BACKLOG].result()
    results = [future.result() for future in pending]
    return _assemble(index, store.footprints, results, settings)


def _tiles_of(store: Store, sensor: str, rows: Sequence[int] | npt.NDArray[np.integer]) -> pd.DataFrame:
    """The index of the given rows, in their order."""
    index = store.index
    own = index[index["sensor"] == sensor].set_index("row", drop=False)
    chosen: pd.DataFrame = own.loc[[int(row) for row in rows]].reset_index(drop=True)
    return chosen


def _assemble(
    index: pd.DataFrame,
    footprints: pd.DataFrame,
    results: list[tuple[Confusion, Proposals]],
    settings: ScoringSettings,
) -> Scores:
    position = index[["acquisition", "image_id"]].assign(tile=np.arange(len(index)))
    truth = footprints.merge(position, on=["acquisition", "image_id"])
    truth_geometry = shapely.from_wkt(truth["wkt_px"].to_numpy(dtype=object))
    truth_tile = truth["tile"].to_numpy()
    proposals = [found for _, found in results]
    geometry = np.concatenate([found.geometries for found in proposals])
    confidence = np.concatenate([found.confidences for found in proposals])
    tile = np.repeat(np.arange(len(index)), [len(found) for found in proposals])
    matches = match_polygons(
        truth_geometry,
        geometry,
        truth_tiles=truth_tile,
        proposal_tiles=tile,
        confidence=confidence,
        min_area=settings.min_area_px,
        iou=settings.iou,
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
    return Scores(_tile_table(index, [pixels for pixels, _ in results], matches, truth_tile, tile), objects)


def _objects(tile_of_each: pd.DataFrame, **columns: str | float | npt.NDArray[np.generic]) -> pd.DataFrame:
    keys = ["acquisition", "image_id", "sensor", "location"]
    return tile_of_each[keys].reset_index(drop=True).assign(**columns)


def _tile_table(
    index: pd.DataFrame,
    pixels: list[Confusion],
    matches: Matches,
    truth_tile: npt.NDArray[np.integer],
    proposal_tile: npt.NDArray[np.integer],
) -> pd.DataFrame:
    def count(tile: npt.NDArray[np.integer], chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(tile[chosen], minlength=len(index)).astype(np.int64)

    return index[list(TILE_KEYS)].assign(
        px_tp=[c.tp for c in pixels],
        px_fp=[c.fp for c in pixels],
        px_fn=[c.fn for c in pixels],
        px_tn=[c.tn for c in pixels],
        tp=count(proposal_tile, matches.proposal_matched),
        fp=count(proposal_tile, matches.proposal_kept & ~matches.proposal_matched),
        fn=count(truth_tile, matches.truth_kept & ~matches.truth_matched),
    )
