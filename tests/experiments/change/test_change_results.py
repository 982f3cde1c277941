"""Results of the comparison of change networks, and their table."""

from __future__ import annotations

from statistics import variance
from typing import Any

import pytest

from components.experiments.change.results import results_of, score, spread
from components.experiments.change.rows import ROWS, Row
from components.experiments.change.table import markdown
from tests.experiments.change.stamps import stamp

BY_NAME = {row.name: row for row in ROWS}
CHOSEN: list[Row] = [BY_NAME[name] for name in ("sgsln_8", "exchange_none", "optical_sar")]


@pytest.fixture
def document() -> dict[str, Any]:
    trials = {
        "sgsln_8": [stamp(17, 80, 20), stamp(18, 82, 18), stamp(19, 84, 16)],
        "exchange_none": [stamp(17, 80, 20), stamp(18, 81, 19), stamp(19, 84, 16)],
        "optical_sar": [stamp(17, 30, 70), stamp(18, 31, 69), stamp(19, 32, 68)],
    }
    return results_of(CHOSEN, trials, 0.95)


def test_rows_have_means_over_seeds_and_intervals_over_scenes(document: dict[str, Any]) -> None:
    first = document["rows"][0]
    assert first["scores"]["pixel_iou"] == {"by_seed": [0.8, 0.82, 0.84], "mean": 0.82}
    assert (first["seconds"], first["parameters"]) == (78.0, 381_743)
    interval = first["intervals"]["object_f1"]
    assert not interval["degenerate"]
    assert interval["low"] < interval["value"] < interval["high"]
    assert interval["value"] == pytest.approx(first["scores"]["object_f1"]["mean"], abs=0.01)
    assert document["simulated"] is True


def test_a_difference_within_the_spread_of_the_seeds_does_not_count(document: dict[str, Any]) -> None:
    found = {(one["row"], one["score"]): one for one in document["differences"]}
    assert not found["exchange_none", "object_f1"]["exceeds_seeds"]
    large = found["optical_sar", "object_f1"]
    assert large["exceeds_seeds"]
    assert large["by_scene"]["high"] < 0
    assert large["ratio"] == pytest.approx(0.525, abs=0.01)


def test_the_spread_pools_the_variances_of_the_rows() -> None:
    groups = [[stamp(1, 80, 20), stamp(2, 84, 16)], [stamp(n, 50 + n, 50 - n) for n in (1, 4, 6)]]
    of = [[score(one, "pixel_iou") for one in group] for group in groups]
    groups.append([stamp(1, 9, 1)])
    assert spread(groups, "pixel_iou") == pytest.approx(((variance(of[0]) + 2 * variance(of[1])) / 3) ** 0.5)
    assert spread([groups[2]], "pixel_iou") is None


def test_an_undefined_score_is_zero() -> None:
    one = stamp(1, 1, 1)
    one["scores"]["protocols"]["whole_tile"]["objects"]["f1"] = None
    assert score(one, "object_f1") == 0.0


def test_without_the_reference_there_is_no_difference() -> None:
    assert results_of(CHOSEN, {"exchange_none": [stamp(17, 8, 2)]}, 0.95)["differences"] == []


def test_the_table_says_simulated_and_which_difference_counts(document: dict[str, Any]) -> None:
    text = markdown(document)
    assert text.startswith("Simulated pairs of two dates")
    lines = text.splitlines()
    assert next(line for line in lines if line.startswith("| SGSLN, width 8")).count("381,743") == 1
    differences = lines[lines.index("### Differences from SGSLN, width 8") :]
    rows = {line.split("|")[1].strip(): line for line in differences if "F1 of buildings" in line}
    assert rows["no exchange"].endswith("| no |")
    assert rows["optical before, SAR after"].endswith("| yes |")
