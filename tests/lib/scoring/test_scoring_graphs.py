"""APLS of tiles whose predicted mask is known, scored as evaluation scores them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.contract.errors import BadDataError, MissingInputError
from components.evaluate.models import EvaluatedModel
from components.evaluate.parameters import EvaluateParameters
from components.evaluate.results import details_document, headline_numbers, model_result, split_scores
from components.lib.evaluation.results import GraphResult
from components.lib.metrics.blocksums import ROADS
from components.lib.metrics.intervals import location_interval
from components.lib.scoring.graphs import RoadGraphs
from components.lib.scoring.road_sums import with_road_sums
from components.lib.scoring.score import Scores, score_model
from components.lib.scoring.tables import GraphScore
from components.lib.store.layout import roads_path
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE
from tests.lib.evaluation.test_evaluation_results import EVALUATION
from tests.lib.scoring.road_store import NAMES, SETTINGS, net, write_roads


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return write_roads(tmp_path_factory.mktemp("roads") / "store")


@pytest.fixture(scope="module")
def scores(store: Store) -> Scores:
    rows = store.rows(AIRBORNE, "test")
    graphs = RoadGraphs(store, AIRBORNE).score
    return score_model(net(), store, sensor=AIRBORNE, rows=rows, settings=SETTINGS, graphs=graphs)


def of(scores: Scores, name: str) -> GraphScore:
    return scores.graphs["tiny", name]


def test_the_traced_truth_scores_near_one_and_uncertain_roads_do_not_count(scores: Scores) -> None:
    score = of(scores, "north")
    assert 0.98 < score.apls.apls <= 1.0
    assert score.has_roads


def test_a_turned_tile_scores_as_the_unturned_one(scores: Scores) -> None:
    assert of(scores, "south") == of(scores, "north")


def test_true_roads_without_data_are_not_looked_for(scores: Scores) -> None:
    assert 0.98 < of(scores, "half").apls.apls <= 1.0


def test_empty_tiles_follow_the_definition(scores: Scores) -> None:
    found = {name: (of(scores, name).apls.apls, of(scores, name).has_roads) for name in NAMES[2:5]}
    assert found == {"empty": (1.0, False), "missed": (0.0, True), "false": (0.0, False)}


def test_a_result_has_the_means_over_the_tiles_of_its_split(scores: Scores) -> None:
    model = EvaluatedModel(
        model="concord", role="student", description="", net=net(), sensor="a", statistics_of="a"
    )
    clean, every = (
        model_result(part, EvaluateParameters(confidence=0.9, pictures=1), SETTINGS)
        for part in split_scores(model, scores)
    )
    right = of(scores, "north").apls
    assert clean.graph is not None
    assert clean.graph == GraphResult(
        apls=clean.graph.apls,
        truth_onto_proposal=right.truth_onto_proposal / 2,
        proposal_onto_truth=right.proposal_onto_truth / 2,
        without_roads=0,
    )
    assert (clean.graph.apls.value, clean.graph.apls.locations) == (right.apls / 2, 2)
    assert every.graph is not None
    assert every.graph.apls.value == pytest.approx(np.mean([of(scores, name).apls.apls for name in NAMES]))
    assert every.graph.without_roads == 2


def test_details_and_headline_have_apls() -> None:
    apls = EVALUATION.results[0].iou
    graph = GraphResult(apls=apls, truth_onto_proposal=0.4, proposal_onto_truth=0.7, without_roads=2)
    (result,) = EVALUATION.results
    evaluation = replace(EVALUATION, results=(replace(result, graph=graph),))
    numbers = details_document(evaluation)["models"]["concord"]["a"]["sn6-clean"]
    assert {name: value for name, value in numbers.items() if name.startswith("apls")} == {
        "apls": numbers["iou"],
        "apls_low": numbers["iou_low"],
        "apls_high": numbers["iou_high"],
        "apls_truth_onto_proposal": 0.4,
        "apls_proposal_onto_truth": 0.7,
        "apls_tiles_without_roads": 2,
    }
    assert headline_numbers(evaluation)["apls"] == numbers["iou"]
    assert "apls" not in headline_numbers(EVALUATION)


def test_graphs_are_scored_where_asked_for_alone(store: Store) -> None:
    scores = score_model(net(), store, sensor=AIRBORNE, rows=[0], settings=SETTINGS)
    assert not scores.graphs


def test_a_store_without_the_table_names_the_next_step(tmp_path: Path) -> None:
    store = write_roads(tmp_path / "store", table=False)
    with pytest.raises(MissingInputError, match=r"roads\.parquet is missing") as failure:
        RoadGraphs(store, AIRBORNE)
    assert "dvc repro prepare" in str(failure.value)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    path = roads_path(write_roads(tmp_path / "store").folder, "p00")
    table = pd.read_parquet(path)
    table.drop(columns="uncertain").to_parquet(path)
    with pytest.raises(BadDataError, match=r"roads\.parquet: column 'uncertain' is missing"):
        Store.open(tmp_path / "store")
    table.assign(wkt_px="LINESTRING (").to_parquet(path)
    with pytest.raises(BadDataError, match="a road is no WKT"):
        RoadGraphs(Store.open(tmp_path / "store"), AIRBORNE)


def test_sums_of_roads_stand_once_for_each_tile(scores: Scores) -> None:
    tiles = with_road_sums(scores)
    pd.testing.assert_frame_equal(tiles.drop(columns=list(ROADS)), scores.tiles)
    by_tile = tiles.groupby("image_id")[list(ROADS)].sum()
    assert by_tile["apls_tiles"].tolist() == [1.0] * len(NAMES)
    assert by_tile.loc["half", "apls_sum"] == of(scores, "half").apls.apls
    sums, north = scores.relaxed["tiny", "north"], by_tile.loc["north"]
    assert (north["road_px"], north["proposed_near_px"]) == (sums.truth, sums.proposal_near)
    interval = location_interval(tiles, "apls", 0.9)
    assert interval.value == pytest.approx(np.mean([of(scores, name).apls.apls for name in NAMES]))
    every = scores.relaxed_sums()
    assert every is not None
    assert location_interval(tiles, "relaxed_f1").value == pytest.approx(every.by_length()["f1"])
