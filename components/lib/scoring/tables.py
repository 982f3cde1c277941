"""Score tables: one row per tile and ground block, and one row per building."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from components.lib.config.scoring import Drawing, ScoringSettings
from components.lib.geo.vectorise import Polygons
from components.lib.metrics.counts import Counts
from components.lib.metrics.probabilities import ProbabilityHistogram
from components.lib.metrics.spacenet_f1 import Matches
from components.lib.roads.apls.rules import AplsScore
from components.lib.roads.buffers import BufferSums
from components.lib.scoring.blocks import block_names
from components.lib.scoring.nodata import scored_polygons
from components.lib.tasks.base import Task

TILE_KEYS = ("acquisition", "image_id", "sensor", "location", "orientation", "nodata_share", "clean")
"""Columns of every row of a tile table: ``location`` is the ground block, the rest is the index's."""

OBJECT_KEYS = ("acquisition", "image_id", "sensor", "location")
"""The same of the table of buildings."""

TILE = ("acquisition", "image_id")
"""Columns that name a tile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartCounts:
    """Pixel counts of the part of a tile that lies in one ground block, at the threshold and at 0.5."""

    block: str
    pixels: Counts
    half: Counts


@dataclass(frozen=True, slots=True)
class GraphScore:
    """APLS of one tile's road graph, and whether the tile has a true road."""

    apls: AplsScore
    has_roads: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TileScore:
    """One tile before its polygons meet the truth.

    Attributes:
        parts: Pixel counts by ground block.
        polygons: Predicted objects; none of a task without them.
        vectoriser: Origin of the polygons.
        histogram: Probabilities of the pixels that count.
        relaxed: Sums of scores within a tolerance; None for a task without them.
        hidden: Outline of the pixels without data, north-up pixel coordinates; None if there are none.
        graph: Score of the road graph; None where it is not asked for.
    """

    parts: Sequence[PartCounts]
    polygons: Polygons
    vectoriser: Drawing
    histogram: ProbabilityHistogram
    relaxed: BufferSums | None
    hidden: BaseGeometry | None
    graph: GraphScore | None = None


def tile_count(tiles: pd.DataFrame) -> int:
    """Return the number of distinct tiles in a tile table."""
    return len(tiles[list(TILE)].drop_duplicates())


def with_building_counts(rows: pd.DataFrame, objects: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return ``rows`` with the counts ``tp, fp, fn`` of the buildings that share their keys, int64.

    Args:
        rows: One row per combination of keys; a row without a building gets zeros.
        objects: Table of buildings, or some of them.
        keys: Columns that both tables have.
    """
    is_truth = objects["kind"] == "truth"
    counts = (
        objects[list(keys)]
        .assign(
            tp=(is_truth & objects["matched"]).astype("int64"),
            fp=(~is_truth & ~objects["matched"]).astype("int64"),
            fn=(is_truth & ~objects["matched"]).astype("int64"),
        )
        .groupby(list(keys), as_index=False)
        .sum()
    )
    table = rows.merge(counts, on=list(keys), how="left")
    return table.fillna({"tp": 0, "fp": 0, "fn": 0}).astype({"tp": "int64", "fp": "int64", "fn": "int64"})


def assemble(
    task: Task,
    index: pd.DataFrame,
    footprints: pd.DataFrame,
    results: Sequence[TileScore],
    settings: ScoringSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match predicted buildings to true ones; return the tables of tiles and of buildings.

    Args:
        task: Target whose objects are matched.
        index: The store's rows of the scored tiles.
        footprints: The store's true buildings, of these tiles and others.
        results: One entry per tile, in the order of ``index``.
        settings: Matching and size of the ground blocks.
    """
    truth = _true_buildings(index, footprints)
    proposals = _proposals(results)
    seen, counted = _scored(truth, proposals, results)
    truth, proposals = truth.chosen(seen), proposals.chosen(counted)
    matches = task.match(
        truth.geometry,
        proposals.geometry,
        truth_tiles=truth.tile,
        proposal_tiles=proposals.tile,
        confidence=proposals.confidence,
        settings=settings,
    )
    objects = pd.concat(
        [
            _objects(index, truth, matches, settings.block_m, kind="truth"),
            _objects(index, proposals, matches, settings.block_m, kind="proposal"),
        ],
        ignore_index=True,
    )
    return _tile_table(index, results, objects), objects.drop(columns="tile")


@dataclass(frozen=True, slots=True)
class _Buildings:
    geometry: npt.NDArray[np.object_]
    tile: npt.NDArray[np.integer]
    confidence: npt.NDArray[np.float64]

    def chosen(self, which: npt.NDArray[np.bool_]) -> _Buildings:
        return replace(
            self, geometry=self.geometry[which], tile=self.tile[which], confidence=self.confidence[which]
        )


def _true_buildings(index: pd.DataFrame, footprints: pd.DataFrame) -> _Buildings:
    found = footprints.merge(index[list(TILE)].assign(tile=np.arange(len(index))), on=list(TILE))
    geometry = np.asarray(shapely.from_wkt(found["wkt_px"].to_numpy(dtype=object)), dtype=object)
    return _Buildings(geometry, found["tile"].to_numpy(), np.full(len(found), np.nan))


def _proposals(results: Sequence[TileScore]) -> _Buildings:
    geometry = np.concatenate([result.polygons.geometries for result in results])
    tile = np.repeat(np.arange(len(results)), [len(result.polygons) for result in results])
    return _Buildings(geometry, tile, np.concatenate([result.polygons.confidences for result in results]))


def _scored(
    truth: _Buildings, proposals: _Buildings, results: Sequence[TileScore]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which true and which predicted buildings are scored: :func:`scored_polygons` tile by tile."""
    seen, counted = np.ones(len(truth.tile), dtype=bool), np.ones(len(proposals.tile), dtype=bool)
    for number, result in enumerate(results):
        if result.hidden is None:
            continue
        own, drawn = truth.tile == number, proposals.tile == number
        seen[own], counted[drawn] = scored_polygons(
            truth.geometry[own], proposals.geometry[drawn], result.hidden
        )
    return seen, counted


def _objects(
    index: pd.DataFrame, buildings: _Buildings, matches: Matches, block_m: float, *, kind: str
) -> pd.DataFrame:
    """Return the table of the buildings that count, with the number of their tile."""
    of_truth = kind == "truth"
    kept = matches.truth_kept if of_truth else matches.proposal_kept
    counted = buildings.chosen(kept)
    table = index.iloc[counted.tile][["acquisition", "image_id", "sensor"]].reset_index(drop=True)
    return table.assign(
        location=_blocks(index.iloc[counted.tile], counted.geometry, block_m),
        kind=kind,
        matched=(matches.truth_matched if of_truth else matches.proposal_matched)[kept],
        area_px=shapely.area(counted.geometry),
        confidence=counted.confidence,
        iou=(matches.truth_iou if of_truth else matches.proposal_iou)[kept],
        tile=counted.tile,
    )


def _blocks(tile_of_each: pd.DataFrame, geometry: npt.NDArray[np.object_], block_m: float) -> list[str]:
    """Return the block of the pixel that holds each centroid; polygons are in pixels of the north-up tile."""
    centre = shapely.centroid(geometry)
    gsd = tile_of_each["gsd_m"].to_numpy(np.float64)
    column = np.clip(np.floor(shapely.get_x(centre)), 0, tile_of_each["width"].to_numpy() - 1)
    row = np.clip(np.floor(shapely.get_y(centre)), 0, tile_of_each["height"].to_numpy() - 1)
    return block_names(
        tile_of_each["x_left_m"].to_numpy(np.float64) + (column + 0.5) * gsd,
        tile_of_each["y_top_m"].to_numpy(np.float64) - (row + 0.5) * gsd,
        block_m,
    )


def _tile_table(index: pd.DataFrame, results: Sequence[TileScore], objects: pd.DataFrame) -> pd.DataFrame:
    table = pd.DataFrame(
        [
            {
                "tile": number,
                "location": part.block,
                "px_tp": part.pixels.tp,
                "px_fp": part.pixels.fp,
                "px_fn": part.pixels.fn,
                "px_tn": part.pixels.tn,
                "px_tp_half": part.half.tp,
                "px_fp_half": part.half.fp,
                "px_fn_half": part.half.fn,
                "vectorise": result.vectoriser,
            }
            for number, result in enumerate(results)
            for part in result.parts
        ]
    )
    counted = with_building_counts(table, objects, ["tile", "location"])
    facts = index[[key for key in TILE_KEYS if key != "location"]].assign(tile=np.arange(len(index)))
    merged = counted.merge(facts, on="tile", how="left")
    pixels = [name for name in table.columns if name.startswith("px_")]
    return merged[[*TILE_KEYS, *pixels, "tp", "fp", "fn", "vectorise"]]
