"""Numbers, tables and pictures from counts that are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.experiments.grid import GRID, by_name
from components.experiments.report import write_evidence
from components.experiments.results import Row, ScoredTrial, evidence_document, find
from components.experiments.table import markdown

ABOUT: Row = {
    "command": "python -m components.experiments",
    "profile": "evidence",
    "simulated": True,
    "world_sha256": {"base": "a" * 64},
    "budget_sha256": "b" * 64,
    "seeds": [1, 2],
    "ablation_seeds": [1],
    "missing": [],
    "left_out": [],
}

HITS = {
    "teacher": 80,
    "control": 50,
    "control_twice": 61,
    "optical_init": 55,
    "disoptnet": 56,
    "concord": 65,
    "concord_no_masks": 62,
    "source_only": 20,
    "moments_only": 30,
    "csn_only": 40,
    "csn_moments": 45,
    "self_training": 25,
    "csn_self_training": 50,
    "oracle": 60,
}
"""Found building pixels of 100 per tile for seed 1, without false alarms: the IoU in per cent."""

TWICE = {"teacher", "control", "control_twice", "optical_init", "concord"}
"""Methods with a second seed, two points better than the first."""


def tiles(hits: int, sensor: str, *, clean: bool = True) -> pd.DataFrame:
    """48 tiles in 24 blocks that do not adjoin; a third of them differ a little: intervals have a width."""
    rows = []
    for tile in range(48):
        found = hits + (3 if tile // 2 % 3 == 2 else 0)
        counts = {"px_tp": found, "px_fp": 0, "px_fn": 100 - found, "px_tn": 900}
        buildings = {"tp": found // 10, "fp": 1, "fn": 10 - found // 10}
        where = {
            "sensor": sensor,
            "image_id": f"t{tile}",
            "location": f"{3 * (tile // 2)}_0",
            "acquisition": "a",
        }
        rows.append({**where, **counts, **buildings, "clean": clean})
    return pd.DataFrame(rows)


def result(name: str, seed: int, *, clean: bool = True) -> ScoredTrial:
    method = by_name(GRID)[name]
    sensor = "simulated-spaceborne" if method.group == "target" else "simulated-airborne"
    metrics: Row = {"iou": 0.4, "seconds": 12.0 + seed, "steps": 100} if method.command else {}
    if method.command == ("components.adapt",):
        metrics = {"after": {"target": {"iou": 0.3}, "source": None}, "seconds": 5.0, "steps": 50}
    stamp = {
        "metrics": metrics,
        "parameters": 1_500_000,
        "seconds": 20.0,
        "threads": 1,
        "weights_sha256": "c" * 64,
    }
    return ScoredTrial(
        method=method, seed=seed, stamp=stamp, tiles=tiles(HITS[name] + 2 * (seed - 1), sensor, clean=clean)
    )


@pytest.fixture(scope="module")
def evidence() -> Row:
    results = [result(name, 1) for name in HITS] + [result(name, 2) for name in HITS if name in TWICE]
    return evidence_document(results, ABOUT, confidence=0.95)


def test_values_are_those_of_the_counts(evidence: Row) -> None:
    one = find(evidence["rows"], method="control", metric="iou", seed=1)
    two = find(evidence["rows"], method="control", metric="iou", seed=2)
    mean = find(evidence["rows"], method="control", metric="iou", seed=None)
    assert one is not None
    assert two is not None
    assert mean is not None
    assert (one["value"], two["value"], mean["value"]) == (0.51, 0.53, 0.52)
    # Student's interval of 24 values, eight of which are 0.03 above the others.
    assert one["low"] == pytest.approx(0.51 - 2.0687 * np.sqrt(0.0002 / 23), abs=2e-5)
    assert one["high"] == pytest.approx(0.51 + 2.0687 * np.sqrt(0.0002 / 23), abs=2e-5)
    assert (mean["seeds"], mean["locations"], mean["split"]) == (2, 24, "sn6-clean")
    precision = find(evidence["rows"], method="control", metric="precision", seed=1)
    buildings = find(evidence["rows"], method="control", metric="spacenet_precision", seed=1)
    assert precision is not None
    assert buildings is not None
    assert precision["value"] == 1.0
    assert buildings["value"] == pytest.approx(5 / 6, abs=1e-5)


def test_differences_gap_closure_and_recovery_are_those_of_the_means(evidence: Row) -> None:
    gain = find(evidence["differences"], method="concord", against="control", metric="iou")
    part = find(evidence["differences"], method="concord", against="concord_no_masks", metric="iou")
    closure = find(evidence["gap_closure"], method="concord", metric="iou")
    recovery = find(evidence["recovery"], method="csn_self_training", metric="iou")
    assert gain is not None
    assert part is not None
    assert closure is not None
    assert recovery is not None
    # Every block gains the same.
    assert (gain["value"], gain["low"], gain["high"], gain["seeds"]) == (0.15, 0.15, 0.15, 2)
    assert (part["value"], part["seeds"]) == (0.03, 1)
    assert closure["value"] == 0.5
    assert recovery["value"] == 0.75
    assert find(evidence["differences"], method="teacher", against="control") is None
    assert find(evidence["gap_closure"], method="teacher") is None
    assert [row["met"] for row in evidence["targets"]] == [True, True, True, True]
    for rest, gain_over in (
        ("moments_only", 0.2),
        ("csn_only", 0.1),
        ("csn_moments", 0.05),
        ("self_training", 0.25),
    ):
        parted = find(evidence["differences"], method="csn_self_training", against=rest, metric="iou")
        assert parted is not None
        assert parted["value"] == gain_over
    cell = find(evidence["cells"], method="csn_only", seed=1)
    assert cell is not None
    assert (cell["selection_iou"], cell["training_seconds"], cell["steps"]) == (0.3, 5.0, 50)


def test_a_target_is_missed_if_its_interval_says_so() -> None:
    weak = [result("control", 1), result("concord", 1), result("teacher", 1)]
    flat = weak[1].tiles.assign(px_tp=weak[0].tiles["px_tp"], px_fn=weak[0].tiles["px_fn"])
    made = evidence_document(
        [weak[0], ScoredTrial(method=weak[1].method, seed=1, stamp=weak[1].stamp, tiles=flat), weak[2]],
        ABOUT,
        confidence=0.9,
    )
    assert [row["met"] for row in made["targets"]] == [False, False]


def test_without_clean_tiles_all_of_them_count() -> None:
    made = evidence_document([result("teacher", 1, clean=False)], ABOUT, confidence=0.9)
    assert made["splits"] == {"simulated-airborne": "sn6-kang"}
    assert find(made["rows"], method="teacher", metric="iou", seed=None) is not None


def test_the_table_says_it_in_words(evidence: Row) -> None:
    text = markdown(evidence)
    assert "simulated rehearsal world" in text
    ours = "| concord (ours) | 0.670 [0.664, 0.676] | 0.660 to 0.680 | +15.0 [+15.0, +15.0] "
    assert f"{ours}| +4.0 [+4.0, +4.0] | +10.0 [+10.0, +10.0] | 50 % [50 %, 50 %] |" in text
    assert "| concord without layover and no-data masks | 0.630 [0.624, 0.636] | +3.0 [+3.0, +3.0] |" in text
    assert "| optical teacher | 0.820 [0.814, 0.826] | 0.810 to 0.830 | - | - | - | - |" in text
    assert "| 1.50 M | 100 (14 s) |" in text
    for part in ("input moments alone", "CSN alone", "CSN and input moments", "self-training alone"):
        assert f"| {part} |" in text
    assert "| CSN, input moments and self-training |" in text
    assert "75 % [75 %, 75 %]" in text
    real = markdown({**evidence, "simulated": False})
    assert "imulated rehearsal" not in real
    assert "real data" in real


def test_everything_is_written_whole(evidence: Row, tmp_path: Path) -> None:
    write_evidence(tmp_path / "evidence", evidence)
    names = {path.name for path in (tmp_path / "evidence").iterdir()}
    assert names == {"evidence.json", "table.md", "source.png", "ablations.png", "target.png"}
    assert "![target](target.png)" in (tmp_path / "evidence/table.md").read_text()


def test_the_published_table_is_that_of_the_published_numbers(repository: Path) -> None:
    published = repository / ".assets/evidence"
    text = (published / "table.md").read_text()
    assert text.startswith(markdown(json.loads((published / "evidence.json").read_text())).rstrip())
