"""The location-disjoint split, and how much ground its sides share.

SpaceNet 6 shows every spot about 17 times, so a random split, by tile or by strip, tests on ground that was
trained on. The published split (``kang``: the easternmost of five groups by west edge, 705 of 3,401 tiles)
still shares ground at its seam; ``clean`` is its part east of all train ground, 365 tiles
(docs/methods/spacenet6.md). All sensors are split together: ground that one sensor trains on is clean for
none.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from components.lib.datasets.base import OfficialSplit
from components.prepare.parameters import SplitParameters

_SLACK_M = 1e-6
"""Overlap below a micrometre is rounding in coordinates of some millions of metres."""

_NEIGHBOURHOOD = 4
"""Side of the places whose ground is united at a time, in sides of a tile."""

Shares = npt.NDArray[np.float64]


def assign(tiles: pd.DataFrame, parameters: SplitParameters) -> pd.DataFrame:
    """Give every tile its place in the split.

    Train tiles that share ground with a selection tile become ``buffer``. The train side gives up its tiles
    because that costs it 12 % of SpaceNet 6's tiles, and would cost the smaller selection slice 38 %.

    Args:
        tiles: ``x_left_m``, ``y_top_m``, ``gsd_m``, ``height``, ``width`` of every tile of every sensor.
        parameters: The groups.

    Returns:
        Columns ``split``, ``kang`` and ``clean`` with the index of ``tiles``.
    """
    x_left = tiles["x_left_m"].to_numpy(np.float64)
    group = groups(x_left, parameters)
    test = group == parameters.groups - 1
    selection = group == parameters.selection_group
    split = np.where(test, "test", np.where(selection, "selection", "train")).astype(object)
    candidates = np.flatnonzero(split == "train")
    seam = overlap_shares(tiles.iloc[candidates], tiles[selection]) > 0.0
    split[candidates[seam]] = "buffer"
    right = x_left + _sides(tiles)[0]
    train_ground_ends = right[~test].max() if (~test).any() else -np.inf
    return pd.DataFrame(
        {
            "split": split,
            "kang": test,
            "clean": test & (x_left >= train_ground_ends - _SLACK_M),
        },
        index=tiles.index,
    )


def groups(x_left_m: npt.NDArray[np.float64], parameters: SplitParameters) -> npt.NDArray[np.int64]:
    """Return the group of each tile from its west edge, 0 in the west."""
    share = (x_left_m - parameters.west_m) / (parameters.east_m - parameters.west_m)
    return np.clip(np.floor(share * parameters.groups), 0, parameters.groups - 1).astype(np.int64)


def overlap_shares(tiles: pd.DataFrame, others: pd.DataFrame) -> Shares:
    """Return for each tile the largest share of its rectangle that one of ``others`` covers."""
    result = np.zeros(len(tiles))
    if others.empty or tiles.empty:
        return result
    # By a spatial index: a tile meets some 17 others, of a hundred thousand.
    mine, theirs = shapely.STRtree(_boxes(others)).query(_boxes(tiles))
    left, top, right, bottom = (edge[theirs] for edge in _edges(others))
    west, north, east, south = _edges(tiles)
    width = np.minimum(east[mine], right) - np.maximum(west[mine], left)
    height = np.minimum(north[mine], top) - np.maximum(south[mine], bottom)
    common = np.where((width > _SLACK_M) & (height > _SLACK_M), width * height, 0.0)
    np.maximum.at(result, mine, common)
    return result / ((east - west) * (north - south))


def leak(tiles: pd.DataFrame, train: pd.DataFrame) -> dict[str, float | int]:
    """Measure how much of ``tiles`` lies on the ground of ``train``.

    Returns:
        ``tiles``; ``over_0``, ``over_10``, ``over_25``, ``over_50``: share of tiles of which a single train
        tile covers more than that many per cent; ``ground``: mean share of a tile's area on train ground.
    """
    shares = overlap_shares(tiles, train)
    measured: dict[str, float | int] = {"tiles": len(tiles)}
    for per_cent in (0, 10, 25, 50):
        measured[f"over_{per_cent}"] = _mean(shares > per_cent / 100)
    measured["ground"] = _mean(covered_shares(tiles, train))
    return measured


def covered_shares(tiles: pd.DataFrame, others: pd.DataFrame) -> Shares:
    """Return for each tile the share of its rectangle that ``others`` cover together."""
    result = np.zeros(len(tiles))
    if tiles.empty or others.empty:
        return result
    boxes, ground = _boxes(tiles), _boxes(others)
    tree = shapely.STRtree(ground)
    left, top, _, _ = _edges(tiles)
    side = _NEIGHBOURHOOD * max(part.max() for part in _sides(tiles))
    # Place by place: the union of all ground has as many corners as there are tiles, and each would meet it.
    places = pd.DataFrame({"column": left // side, "row": top // side}).groupby(["column", "row"]).indices
    for own in places.values():
        near = tree.query(shapely.box(*shapely.total_bounds(boxes[own])))
        common = shapely.intersection(boxes[own], shapely.union_all(ground[near]))
        result[own] = shapely.area(common) / shapely.area(boxes[own])
    return result


def measure_leaks(index: pd.DataFrame, official: OfficialSplit) -> dict[str, dict[str, float | int]]:
    """Measure the leaks of a whole store.

    Args:
        index: The store's index.
        official: Names of the two test sets.

    Returns:
        Under the names of the published test set and of its disjoint part: these against all other tiles, as
        published; under the former with ``-used``: the published set against the tiles that are really
        trained on, buffer and selection left out; ``selection``: the selection slice against the same.
    """
    used = index[index["split"] == "train"]
    published = index[~index["kang"]]
    return {
        official.published: leak(index[index["kang"]], published),
        f"{official.published}-used": leak(index[index["kang"]], used),
        official.disjoint: leak(index[index["clean"]], published),
        "selection": leak(index[index["split"] == "selection"], used),
    }


def _sides(tiles: pd.DataFrame) -> tuple[Shares, Shares]:
    gsd = tiles["gsd_m"].to_numpy(np.float64)
    return tiles["width"].to_numpy() * gsd, tiles["height"].to_numpy() * gsd


def _edges(tiles: pd.DataFrame) -> tuple[Shares, Shares, Shares, Shares]:
    """Return left, top, right, bottom in metres."""
    width, height = _sides(tiles)
    left, top = tiles["x_left_m"].to_numpy(np.float64), tiles["y_top_m"].to_numpy(np.float64)
    return left, top, left + width, top - height


def _boxes(tiles: pd.DataFrame) -> npt.NDArray[np.object_]:
    left, top, right, bottom = _edges(tiles)
    boxes: npt.NDArray[np.object_] = shapely.box(left, bottom, right, top)
    return boxes


def _mean(values: npt.NDArray[np.bool_] | Shares) -> float:
    return float(np.mean(values)) if len(values) else 0.0
