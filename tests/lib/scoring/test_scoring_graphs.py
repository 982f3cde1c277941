"""APLS of tiles whose predicted mask is known, scored as evaluation scores them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import shapely
from rasterio.transform import Affine

from components.contract.errors import BadDataError, MissingInputError
from components.evaluate.models import EvaluatedModel
from components.evaluate.parameters import EvaluateParameters
from components.evaluate.results import details_document, headline_numbers, model_result, split_scores
from components.lib.config.scoring import ScoringSettings
from components.lib.evaluation.results import GraphResult
from components.lib.roads.labels import RoadLine, rasterise_roads
from components.lib.scoring.graphs import RoadGraphs
from components.lib.scoring.score import Scores, score_model
from components.lib.scoring.tables import GraphScore
from components.lib.store.layout import roads_path, write_store
from components.lib.store.store import Store
from tests.evaluate.worlds import AIRBORNE, Pointwise
from tests.lib.evaluation.test_evaluation_results import EVALUATION

SIDE = 200
SETTINGS = ScoringSettings(block_m=100.0)

CROSS = [[(0, 60), (90, 60)], [(90, 60), (200, 60)], [(90, 0), (90, 60)], [(90, 60), (90, 200)]]
DOUBT = [(20, 150), (70, 150)]
NAMES = ("north", "south", "empty", "missed", "false", "half")
TRUE = {"north", "south", "missed", "half"}
PREDICTED = {"north", "south", "false", "half"}


def masks(roads: list[RoadLine]) -> npt.NDArray[np.uint8]:
    return rasterise_roads(roads, Affine.identity(), (SIDE, SIDE), half_width_m=5.0, own_widths=False)


def write_roads(folder: Path, *, table: bool = True) -> Store:
    """Six tiles of 100 m with a crossing; SAR is 200 where a road is predicted, 0 without data."""
    crossing = [RoadLine(shapely.LineString(line)) for line in CROSS]
    doubt = RoadLine(shapely.LineString(DOUBT), uncertain=True)
    index, roads = [], []
    target = np.zeros((len(NAMES), SIDE, SIDE, 3), dtype=np.uint8)
    sar = np.full((len(NAMES), SIDE, SIDE, 4), 100, dtype=np.uint8)
    for k, name in enumerate(NAMES):
        lines = [*crossing, doubt] if name in TRUE else []
        target[k] = masks(lines)
        sar[k][target[k][..., [0, 2]].any(axis=-1) & (name in PREDICTED)] = 200
        if name == "false":
            sar[k][masks(crossing)[..., 0] > 0] = 200
        if name == "half":
            sar[k, 120:] = 0
        if name == "south":
            target[k], sar[k] = np.rot90(target[k], 2), np.rot90(sar[k], 2)
        index.append({"image_id": name, "tile": k, "row": k, "x_left_m": 592_000.0 + 100 * k})
        roads += [
            {"image_id": name, "road_id": n, "wkt_px": road.line.wkt, "uncertain": road.uncertain}
            for n, road in enumerate(lines)
        ]
    of_all = {"acquisition": "tiny", "sensor": AIRBORNE}
    tiles = pd.DataFrame(index).assign(
        **of_all,
        strip="s",
        orientation=[int(name == "south") for name in NAMES],
        y_top_m=5_750_000.0,
        gsd_m=0.5,
        height=SIDE,
        width=SIDE,
        split="test",
        kang=True,
        clean=[name in {"north", "missed"} for name in NAMES],
        nodata_share=0.0,
        n_buildings=0,
        has_optical=False,
    )
    layers = {(AIRBORNE, "sar"): sar, (AIRBORNE, "target"): target}
    drawn = pd.DataFrame(roads).assign(**of_all) if table else None
    write_store(folder, tiles, pd.DataFrame(), layers, task="roads", roads=drawn)
    return Store.open(folder)


def net() -> Pointwise:
    found = Pointwise()
    found.config = found.config.model_copy(update={"task": "roads"})
    return found


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
    assert clean.graph == GraphResult(
        apls=right.apls / 2,
        truth_onto_proposal=right.truth_onto_proposal / 2,
        proposal_onto_truth=right.proposal_onto_truth / 2,
        without_roads=0,
    )
    assert every.graph is not None
    assert every.graph.apls == pytest.approx(np.mean([of(scores, name).apls.apls for name in NAMES]))
    assert every.graph.without_roads == 2


def test_details_and_headline_have_apls() -> None:
    graph = GraphResult(apls=0.5, truth_onto_proposal=0.4, proposal_onto_truth=0.7, without_roads=2)
    (result,) = EVALUATION.results
    evaluation = replace(EVALUATION, results=(replace(result, graph=graph),))
    numbers = details_document(evaluation)["models"]["concord"]["a"]["sn6-clean"]
    assert {name: value for name, value in numbers.items() if name.startswith("apls")} == {
        "apls": 0.5,
        "apls_truth_onto_proposal": 0.4,
        "apls_proposal_onto_truth": 0.7,
        "apls_tiles_without_roads": 2,
    }
    assert headline_numbers(evaluation)["apls"] == 0.5
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
