"""The spread of repeated trainings: which trainings are made, what is computed of them, where it goes."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import stdev

import pandas as pd
import pytest

from components.contract.errors import ParameterError
from components.experiments import stability
from components.experiments.grid import GRID, by_name
from components.experiments.results import ScoredTrial
from components.experiments.stability import Repetitions, publish, spread_document, stability_grid
from components.experiments.stability_plot import draw_stability
from tests.experiments.toy_grid import GRID as TOY_GRID
from tests.experiments.workspace import Workspace

REPETITIONS = Repetitions(draws=3, threads=(2, 1), seeds=(17, 18))


def scored(name: str, seed: int, iou: float) -> ScoredTrial:
    """A trial with the given IoU on its clean tiles and another one beside them."""
    method = by_name(stability_grid(REPETITIONS))[name]
    return ScoredTrial(method=method, seed=seed, stamp={}, tiles=tiles_of(iou))


def tiles_of(iou: float) -> pd.DataFrame:
    """A tile table with the given IoU and F1 on its clean tiles."""
    hits = round(1000 * iou)
    return pd.DataFrame(
        {
            "clean": [True, True, False],
            "px_tp": [hits, 0, 0],
            "px_fp": [0, 1000 - hits, 500],
            "px_fn": [0, 0, 500],
            "px_tn": [0, 0, 0],
            "tp": [hits, 0, 0],
            "fp": [1000 - hits, 0, 0],
            "fn": [0, 1000 - hits, 9],
        }
    )


def test_repetitions_differ_from_their_method_in_one_parameter_of_training() -> None:
    rows = by_name(stability_grid(REPETITIONS))
    assert set(rows) == {
        "teacher",
        *(
            f"{name}{suffix}"
            for name in ("control", "concord")
            for suffix in ("", "_perturbed_1", "_perturbed_2", "_threads_1")
        ),
    }
    assert rows["control"].overrides["training"] == {"threads": 2}
    assert rows["control_perturbed_2"].overrides["training"] == {"threads": 2, "perturbation": 2}
    assert rows["concord_threads_1"].overrides["training"] == {"threads": 1}
    original = by_name(GRID)["concord"]
    for name in ("concord_perturbed_1", "concord_threads_1"):
        assert (rows[name].command, rows[name].links) == (original.command, original.links)
        assert rows[name].group == "ablation", "repeated for the first seed alone"


def test_spreads_are_standard_deviations_by_cause() -> None:
    trials = [
        scored("control", 17, 0.50),
        scored("control", 18, 0.56),
        scored("control_perturbed_1", 17, 0.51),
        scored("control_perturbed_2", 17, 0.49),
        scored("control_threads_1", 17, 0.52),
        scored("concord", 17, 0.60),
        scored("concord", 18, 0.60),
        scored("concord_perturbed_1", 17, 0.60),
        scored("concord_perturbed_2", 17, 0.60),
        scored("concord_threads_1", 17, 0.64),
    ]
    document = spread_document(trials, REPETITIONS)
    assert document["control"]["rounding"] == {"spread": 0.01, "iou": [0.50, 0.51, 0.49]}
    assert document["control"]["seeds"]["spread"] == pytest.approx(stdev([0.50, 0.56]), abs=1e-5)
    assert document["control_spread_iou"] == pytest.approx(stdev([0.50, 0.51, 0.49, 0.52, 0.56]), abs=1e-5)
    assert document["threads_spread_iou"] == pytest.approx(stdev([0.60, 0.64]), abs=1e-5)
    assert document["student_spread_iou"] == pytest.approx(stdev([0.6, 0.6, 0.6, 0.64, 0.6]), abs=1e-5)
    assert document["draws"] == 3
    # tp = hits, and as many false as missed, so that F1 on clean tiles is the given number.
    assert document["control_spread_f1"] == document["control_spread_iou"]


def test_publishing_keeps_the_evidence(tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_text(json.dumps({"rows": [1], "stability": {"draws": 1}}))
    publish({"draws": 5, "control_spread_iou": 0.004}, tmp_path)
    assert json.loads((tmp_path / "evidence.json").read_text()) == {
        "rows": [1],
        "stability": {"draws": 5, "control_spread_iou": 0.004},
    }
    publish({"draws": 6}, tmp_path / "new")
    assert json.loads((tmp_path / "new/evidence.json").read_text()) == {"stability": {"draws": 6}}


def test_the_command_trains_scores_and_publishes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = tuple(row for row in TOY_GRID if row.name in {"teacher", "control", "concord"})
    monkeypatch.setattr(stability, "stability_grid", lambda repetitions: stability_grid(repetitions, rows))
    command = ["--profile", "other", "--draws", "2", "--seeds", "1", "2", "--store", "store", "--publish"]
    assert stability.main(command) == 0
    first = workspace.ran()
    assert sorted(first) == sorted(
        [
            *["optical 1", "optical 2"],
            *["sar/none 1", "sar/none 1", "sar/none 1", "sar/none 2"],
            *["sar/concord 1", "sar/concord 1", "sar/concord 1", "sar/concord 2"],
        ]
    )
    published = json.loads(Path(".assets/evidence/evidence.json").read_text())["stability"]
    # The toy stage publishes equal networks, so nothing may differ.
    assert (published["control_spread_iou"], published["threads_spread_iou"]) == (0.0, 0.0)
    assert published["simulated"] is True
    assert len(published["student"]["all"]["iou"]) == 4
    assert Path("reports/stability/stability.png").stat().st_size > 5000
    assert stability.main(command) == 0
    assert workspace.ran() == [], "finished trainings are kept"


def test_the_picture_shows_networks_that_were_measured(tmp_path: Path) -> None:
    causes = {cause: {"spread": 0.01, "iou": [0.5, 0.52]} for cause in ("rounding", "threads", "seeds")}
    draw_stability(tmp_path / "one.png", {"simulated": True, "control": causes})
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("few", [["--draws", "1"], ["--threads", "2"]])
def test_one_training_has_no_spread(few: list[str]) -> None:
    with pytest.raises(ParameterError, match="a spread needs two trainings at least"):
        stability.main(few)


def test_a_cause_with_one_training_is_left_out() -> None:
    once = Repetitions(draws=2, threads=(1, 2), seeds=(17,))
    names = [
        f"{net}{suffix}" for net in ("control", "concord") for suffix in ("", "_perturbed_1", "_threads_2")
    ]
    trials = [
        ScoredTrial(method=by_name(stability_grid(once))[name], seed=17, stamp={}, tiles=tiles_of(0.5))
        for name in names
    ]
    document = spread_document(trials, once)
    assert set(document["control"]) == {"rounding", "threads", "all"}
    assert document["threads_spread_iou"] == 0.0
