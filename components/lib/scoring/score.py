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

from components.contract.errors import BadDataError
from components.lib.config.scoring import Vectoriser
from components.lib.geo.vectorise import Proposals
from components.lib.inference.tiles import TileMaps, predict_tile_maps
from components.lib.metrics.counts import Confusion, pixel_confusion
from components.lib.metrics.spacenet_f1 import Matches, match_polygons
from components.lib.nets.network import SegmentationNetwork
from components.lib.scoring.settings import ScoringSettings
from components.lib.store.layout import footprints_of
from components.lib.store.store import Store
from components.lib.tasks.buildings import draw_buildings, vectoriser_of

TILE_KEYS = ("acquisition", "image_id", "sensor", "location", "orientation", "nodata_share", "clean")
"""Columns of the index that every score table carries along."""

BACKLOG = 32
"""Tiles that may wait for their polygons, so that a fast GPU cannot fill the memory with maps."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """One tile's pixels and polygons, before the polygons meet the truth."""

    pixels: Confusion
    proposals: Proposals
    drawn_by: Vectoriser


@dataclass(frozen=True, slots=True)
class Scores:
    """What one network did on one set of tiles.

    Attributes:
        tiles: One row per tile: ``TILE_KEYS``, pixel counts ``px_tp, px_fp, px_fn, px_tn`` over the whole
            tile (no-data included, where nothing is predicted), the building counts ``tp, fp, fn`` of the
            SpaceNet metric, and ``vectorise``: what drew the polygons, ``watershed`` or ``plain``.
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
    return score_variants(
        net,
        store,
        sensor=sensor,
        rows=rows,
        variants=[settings],
        device=device,
        statistics_of=statistics_of,
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
) -> list[Scores]:
    """Predict every tile once, then vectorise and score it by each of several settings.

    Args:
        net: As for :func:`score_model`, as are the others.
        store: The prepared tiles.
        sensor: Whose tiles.
        rows: Rows of the sensor's arrays.
        variants: Settings that predict alike (window, batch, augmentation).
        device: Where to predict.
        statistics_of: Sensor whose normalisation statistics the network uses, by default ``sensor``.

    Raises:
        BadDataError: If there is no tile to score.
        ValueError: If the variants predict differently.
    """
    if len({(v.window_px, v.batch, v.augmentation) for v in variants}) != 1:
        raise ValueError("one or more variants that predict alike are needed")
    if len(rows) == 0:
        raise BadDataError(
            f"sensor {sensor}: there is no tile to score",
            next_step="check the split in data/prepared/index.parquet (prepare.split in params.yaml)",
        )
    index = _tiles_of(store, sensor, rows)
    orientation = dict(zip(index["row"], index["orientation"], strict=True))
    target = store.layer(sensor, "target")

    def judge(tile: TileMaps) -> list[_Judged]:
        truth = footprints_of(target[tile.row])
        return [
            _Judged(
                pixel_confusion(tile.building > settings.threshold, truth),
                draw_buildings(tile, orientation=orientation[tile.row], settings=settings),
                vectoriser_of(tile, settings),
            )
            for settings in variants
        ]

    pending: list[Future[list[_Judged]]] = []
    # Polygons are drawn while the next windows are predicted: GEOS, GDAL and SciPy release the lock.
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        predictions = predict_tile_maps(
            net,
            store,
            sensor,
            rows,
            window_px=variants[0].window_px,
            batch=variants[0].batch,
            device=device,
            statistics_of=statistics_of,
            augmentation=variants[0].augmentation,
        )
        for tile in tqdm(
            predictions, desc=f"score {sensor}", total=len(rows), unit="tile", disable=None, leave=False
        ):
            pending.append(pool.submit(judge, tile))
            if len(pending) > BACKLOG:
                pending[-BACKLOG].result()
    results = [future.result() for future in pending]
    return [
        _assemble(index, store.footprints, [judged[k] for judged in results], settings)
        for k, settings in enumerate(variants)
    ]


def _tiles_of(store: Store, sensor: str, rows: Sequence[int] | npt.NDArray[np.integer]) -> pd.DataFrame:
    """The index of the given rows, in their order."""
    index = store.index
    own = index[index["sensor"] == sensor].set_index("row", drop=False)
    chosen: pd.DataFrame = own.loc[[int(row) for row in rows]].reset_index(drop=True)
    return chosen


def _assemble(
    index: pd.DataFrame,
    footprints: pd.DataFrame,
    results: list[_Judged],
    settings: ScoringSettings,
) -> Scores:
    position = index[["acquisition", "image_id"]].assign(tile=np.arange(len(index)))
    truth = footprints.merge(position, on=["acquisition", "image_id"])
    truth_geometry = shapely.from_wkt(truth["wkt_px"].to_numpy(dtype=object))
    truth_tile = truth["tile"].to_numpy()
    proposals = [judged.proposals for judged in results]
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
    return Scores(_tile_table(index, results, matches, truth_tile, tile), objects)


def _objects(tile_of_each: pd.DataFrame, **columns: str | float | npt.NDArray[np.generic]) -> pd.DataFrame:
    keys = ["acquisition", "image_id", "sensor", "location"]
    return tile_of_each[keys].reset_index(drop=True).assign(**columns)


def _tile_table(
    index: pd.DataFrame,
    results: list[_Judged],
    matches: Matches,
    truth_tile: npt.NDArray[np.integer],
    proposal_tile: npt.NDArray[np.integer],
) -> pd.DataFrame:
    def count(tile: npt.NDArray[np.integer], chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.bincount(tile[chosen], minlength=len(index)).astype(np.int64)

    return index[list(TILE_KEYS)].assign(
        px_tp=[judged.pixels.tp for judged in results],
        px_fp=[judged.pixels.fp for judged in results],
        px_fn=[judged.pixels.fn for judged in results],
        px_tn=[judged.pixels.tn for judged in results],
        tp=count(proposal_tile, matches.proposal_matched),
        fp=count(proposal_tile, matches.proposal_kept & ~matches.proposal_matched),
        fn=count(truth_tile, matches.truth_kept & ~matches.truth_matched),
        vectorise=[judged.drawn_by for judged in results],
    )
