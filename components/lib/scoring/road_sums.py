"""Scores of whole tiles of roads as columns of the tile table, for intervals over ground."""

from __future__ import annotations

import numpy as np
import pandas as pd

from components.lib.metrics.blocksums import PIXELS, ROADS
from components.lib.roads.buffers import BufferSums
from components.lib.scoring.score import Scores
from components.lib.scoring.tables import TILE


def with_road_sums(scores: Scores) -> pd.DataFrame:
    """Return the tile table with the columns ``ROADS``: sums of scores within a tolerance, and APLS.

    Graphs and roads run across ground blocks. A tile's sums stand in the row of the block in which most of
    its counted pixels lie, and are 0 in its others; so a block left out takes about its own tiles with it.

    Args:
        scores: Scores of a task of roads, with graphs.
    """
    tiles = scores.tiles.copy()
    pixels = tiles[list(PIXELS)].sum(axis=1)
    largest = pixels.groupby([tiles[name] for name in TILE], sort=False).idxmax()
    tiles[list(ROADS)] = 0.0
    for row in largest:
        acquisition, image_id = (str(tiles.at[row, name]) for name in TILE)
        sums = scores.relaxed.get((acquisition, image_id), BufferSums())
        graph = scores.graphs.get((acquisition, image_id))
        apls = (0.0, 0.0) if graph is None else (graph.apls.apls, 1.0)
        masks = (sums.truth, sums.truth_near, sums.proposal, sums.proposal_near)
        tiles.loc[row, list(ROADS)] = np.array([*masks, *apls])
    return tiles
