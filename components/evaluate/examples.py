"""Example tiles for the report, chosen by rule from the scores, with their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from shapely.geometry.base import BaseGeometry

from components.evaluate.models import EvaluatedModel, EvaluatedModels
from components.evaluate.parameters import EvaluateParameters
from components.evaluate.results import SplitScores
from components.lib.config.scoring import ScoringSettings
from components.lib.evaluation.examples import ExampleGroup, Examples, ExampleTile, quantised
from components.lib.evaluation.results import CONTROL
from components.lib.geo.geoarray import GeoArray
from components.lib.geo.orientation import align
from components.lib.scoring.blocks import block_names
from components.lib.scoring.nodata import nodata_region, scored_polygons
from components.lib.scoring.score import predict_by_settings
from components.lib.scoring.tables import TILE
from components.lib.store.store import Store
from components.lib.tasks.labels import BAND_OF, target_of
from components.lib.tasks.registry import load_task

MAX_NODATA = 0.25
"""Tiles with a larger share of no-data are scored, but no examples."""

FULL = 0.01
"""A tile with a smaller share of no-data counts as all data."""

TARGET_PICTURES = 3
"""Example tiles of the target sensor, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenTile:
    """A tile chosen as an example, with the counts of the model that ranked it.

    Attributes:
        image_id: Name of the tile.
        sensor: Sensor of the tile.
        row: Row in the sensor's arrays.
        orientation: 1 where the sensor looked from the south, else 0.
        rank: Position in the ranking, 0 the worst, 1 the best.
        tp: Buildings matched.
        fp: False alarms.
        fn: Buildings missed.
        nodata_share: Share of the tile without data.
    """

    image_id: str
    sensor: str
    row: int
    orientation: int
    rank: float
    tp: int
    fp: int
    fn: int
    nodata_share: float


def rank_tiles(part: SplitScores, store: Store, block_m: float) -> pd.DataFrame:
    """Return the drawable tiles with their pixel IoU and the block of their centre, worst first.

    Tiles without buildings, or roads, or with more than ``MAX_NODATA`` no-data are left out.

    Args:
        part: Scores of one model.
        store: Prepared tiles.
        block_m: Side of a ground block, metres.

    Returns:
        The columns of the store's index, the sums of the tile's counts, ``iou``, and ``location``.
    """
    keys = list(TILE)
    sums = part.scores.tiles.groupby(keys, sort=False)[["px_tp", "px_fp", "px_fn", "tp", "fp", "fn"]].sum()
    union = sums["px_tp"] + sums["px_fp"] + sums["px_fn"]
    ranked = sums.assign(iou=sums["px_tp"] / union.clip(lower=1)).reset_index().merge(store.index, on=keys)
    half_m = ranked["gsd_m"] / 2
    ranked["location"] = block_names(
        (ranked["x_left_m"] + ranked["width"] * half_m).to_numpy(np.float64),
        (ranked["y_top_m"] - ranked["height"] * half_m).to_numpy(np.float64),
        block_m,
    )
    drawable = (ranked["nodata_share"] <= MAX_NODATA) & (ranked["px_tp"] + ranked["px_fn"] > 0)
    return ranked[drawable].sort_values(["iou", "image_id"], kind="stable", ignore_index=True)


def choose_tiles(ranked: pd.DataFrame, count: int) -> list[ChosenTile]:
    """Take ``count`` tiles in even steps from the first to the last, one per block where that is enough.

    Args:
        ranked: Tiles, worst first, as :func:`rank_tiles` returns them.
        count: Number of tiles at most.
    """
    blocks = ranked.groupby("location", sort=False)["location"]
    # The middle tile of a block stands for it, so that neither end is flattered.
    single = ranked[blocks.cumcount() == (blocks.transform("size") - 1) // 2]
    pool = single if len(single) >= count else ranked
    if pool.empty:
        return []
    positions = np.unique(np.linspace(0, len(pool) - 1, min(count, len(pool))).round().astype(int))
    return [
        ChosenTile(
            image_id=str(tile["image_id"]),
            sensor=str(tile["sensor"]),
            row=int(tile["row"]),
            orientation=int(tile["orientation"]),
            rank=position / max(len(pool) - 1, 1),
            tp=int(tile["tp"]),
            fp=int(tile["fp"]),
            fn=int(tile["fn"]),
            nodata_share=float(tile["nodata_share"]),
        )
        for position, tile in zip(positions.tolist(), pool.iloc[positions].to_dict("records"), strict=True)
    ]


class ExampleMaker:
    """Choose example tiles of a store and predict them again.

    Args:
        store: Prepared tiles.
        parameters: Section ``evaluate``.
        settings: Section ``scoring``.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(
        self, store: Store, parameters: EvaluateParameters, settings: ScoringSettings, device: str
    ) -> None:
        self.store, self.task = store, load_task(store.task)
        self.pictures = parameters.pictures
        self.settings = settings
        self.device = device

    def make(self, headline: Sequence[SplitScores], models: EvaluatedModels) -> Examples:
        """Return the source's tiles ranked by the student, the target's ranked by the adapted model.

        Args:
            headline: Scores on the headline split.
            models: Models that were scored.
        """
        parts = {part.key: part for part in headline}
        shown = self._present(models, ("teacher", CONTROL, models.student), models.source)
        groups = []
        ranking = parts.get((models.student, models.source))
        if ranking is not None:
            groups.append(self._group(ranking, shown, self.pictures))
        if models.target is not None:
            pair = self._present(models, ("unadapted", "adapted"), models.target)
            adapted = parts.get(("adapted", models.target))
            if adapted is not None:
                groups.append(self._group(adapted, pair, min(TARGET_PICTURES, self.pictures)))
        return Examples(
            groups=tuple(group for group in groups if group.tiles),
            overview=None if ranking is None else self._overview(ranking, shown),
        )

    @staticmethod
    def _present(models: EvaluatedModels, names: Sequence[str], sensor: str) -> list[EvaluatedModel]:
        found = (models.find(name, sensor) for name in dict.fromkeys(names))
        return [model for model in found if model is not None]

    def _group(self, ranking: SplitScores, models: Sequence[EvaluatedModel], count: int) -> ExampleGroup:
        chosen = choose_tiles(rank_tiles(ranking, self.store, self.settings.block_m), count)
        return ExampleGroup(
            sensor=ranking.model.sensor,
            ranked_by=ranking.model.model,
            split=ranking.split,
            max_nodata=MAX_NODATA,
            tiles=tuple(self._tiles(chosen, models)),
        )

    def _overview(self, ranking: SplitScores, models: Sequence[EvaluatedModel]) -> ExampleTile | None:
        """Return the median tile; tiles that are all data come first: a border makes a poor picture."""
        tiles = rank_tiles(ranking, self.store, self.settings.block_m)
        full = tiles[tiles["nodata_share"] < FULL]
        chosen = choose_tiles(tiles if full.empty else full, 3)
        return self._tiles([chosen[len(chosen) // 2]], models)[0] if chosen else None

    def _tiles(self, chosen: Sequence[ChosenTile], models: Sequence[EvaluatedModel]) -> list[ExampleTile]:
        maps = {model.model: self._predict(model, [tile.row for tile in chosen]) for model in models}
        thresholds = [self.settings.threshold_of(model.net.config.threshold) for model in models]
        return [
            self._tile(tile, {name: by_row[tile.row] for name, by_row in maps.items()}, thresholds)
            for tile in chosen
        ]

    def _predict(self, model: EvaluatedModel, rows: list[int]) -> dict[int, GeoArray]:
        """Return one model's maps by row."""
        return dict(
            predict_by_settings(
                model.net,
                self.store,
                sensor=model.sensor,
                rows=rows,
                settings=self.settings,
                device=self.device,
                statistics_of=model.statistics_of,
            )
        )

    def _tile(self, tile: ChosenTile, maps: dict[str, GeoArray], thresholds: Sequence[float]) -> ExampleTile:
        """Copy images and truth out of the store, turned upright, and add the predictions."""
        index = self.store.index
        paired = bool(index.loc[index["sensor"] == tile.sensor, "has_optical"].all())
        upright = np.stack([found.north_up().band(BAND_OF[self.store.task]) for found in maps.values()])
        matched, false_alarms, missed = self._match(tile, list(maps.values())[-1], thresholds[-1])
        return ExampleTile(
            image_id=tile.image_id,
            rank=tile.rank,
            from_south=bool(tile.orientation),
            tp=tile.tp,
            fp=tile.fp,
            fn=tile.fn,
            nodata_share=tile.nodata_share,
            models=tuple(maps),
            sar=align(self.store.layer(tile.sensor, "sar")[tile.row], tile.orientation),
            optical=align(self.store.layer(tile.sensor, "optical")[tile.row], tile.orientation)
            if paired
            else None,
            truth=align(target_of(self.store.layer(tile.sensor, "target")[tile.row]), tile.orientation),
            predicted=upright > np.array(thresholds, dtype=np.float32)[:, None, None],
            probability=quantised(upright),
            matched=matched,
            false_alarms=false_alarms,
            missed=missed,
        )

    def _match(
        self, tile: ChosenTile, prediction: GeoArray, threshold: float
    ) -> tuple[tuple[BaseGeometry, ...], tuple[BaseGeometry, ...], tuple[BaseGeometry, ...]]:
        """Return the model's polygons that match a building, those that match none, and missed buildings."""
        hidden = nodata_region(prediction.north_up().valid)
        buildings = np.array(self.store.truth(tile.image_id, tile.sensor), dtype=object)
        drawn = self.task.draw(prediction, self.settings, threshold)
        seen, counted = scored_polygons(buildings, drawn.geometries, hidden)
        truth, found = buildings[seen], drawn.geometries[counted]
        matches = self.task.match(
            truth,
            found,
            truth_tiles=np.zeros(len(truth), dtype=int),
            proposal_tiles=np.zeros(len(found), dtype=int),
            confidence=drawn.confidences[counted],
            settings=self.settings,
        )
        return (
            tuple(found[matches.proposal_matched]),
            tuple(found[matches.proposal_kept & ~matches.proposal_matched]),
            tuple(truth[matches.truth_kept & ~matches.truth_matched]),
        )
