"""Panels of example tiles of roads."""

from __future__ import annotations

import numpy as np

from components.lib.datasets.rehearsal import SIMULATED_AIRBORNE
from components.lib.evaluation.examples import ExampleGroup, ExampleTile
from components.lib.report.panels import BUILDING, FALSE_ALARM
from components.report.tiles import gallery

SIDE = 200


def example() -> ExampleTile:
    """A tile of 100 m with a crossing that the model found, where the radar has data down to row 160."""
    road = np.zeros((SIDE, SIDE), dtype=bool)
    road[95:105] = road[:, 95:105] = True
    sar = np.full((SIDE, SIDE, 4), 90, dtype=np.uint8)
    sar[160:] = 0
    return ExampleTile(
        image_id="t", rank=0.5, from_south=False, tp=0, fp=0, fn=0, nodata_share=0.2,
        models=("none", "concord"),
        sar=sar, optical=None, truth=road, predicted=np.stack([~road, road]),
        probability=np.stack([~road, road]).astype(np.uint8) * 255, matched=(), false_alarms=(), missed=(),
    )  # fmt: skip


def group() -> ExampleGroup:
    return ExampleGroup(
        sensor=SIMULATED_AIRBORNE.name,
        ranked_by="concord",
        split="sn6-clean",
        max_nodata=0.5,
        tiles=(example(),),
    )


def test_tiles_of_roads_have_the_graph_of_the_last_model() -> None:
    [tile] = gallery(group(), "roads").tiles
    *_, probability, graph = tile.panels
    assert (probability.title, graph.title) == ("Student: probability", "Student: graph")
    # 100 m across and 80 m down to where the data end; ends lie half the road's width farther in.
    assert graph.alt.startswith("Road graph traced from the mask of ")
    assert "4 roads" in graph.alt
    assert 0.16 < float(graph.note.removesuffix(" km")) <= 0.18
    assert (graph.picture[50, 98:103] == BUILDING).all(axis=-1).any()
    assert (graph.picture[97:103, 97:103] == FALSE_ALARM).all(axis=-1).any()
    assert not (graph.picture[165:] == BUILDING).all(axis=-1).any()


def test_tiles_of_buildings_have_none() -> None:
    [tile] = gallery(group()).tiles
    assert tile.panels[-1].title == "Student: buildings"
