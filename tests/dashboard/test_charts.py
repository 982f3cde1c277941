"""Charts: valid Vega-Lite of the version that draws, with a place for each kind of outcome."""

from __future__ import annotations

from dataclasses import replace

import altair as alt
import pytest

from components.dashboard.charts import (
    THEMES,
    WIDTHS,
    ScorePoint,
    cost_chart,
    drift_chart,
    rule_chart,
    score_chart,
    timeline_chart,
)
from components.dashboard.drawing import VERSION
from components.lib.drift.records import ComparisonRecord
from components.lib.objects.sealed import checked
from tests.dashboard.world import many_runs
from tests.lib.drift.comparisons import comparison

POINT = ScorePoint(run="r", time="", outcome="refused", score=0.3, low=None, high=None, simulated=False)
RUN = many_runs(1)[0]
COMPARED = checked(comparison("a1", drifted=True), ComparisonRecord, name="a comparison")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_specifications_are_valid(theme: str, width: str) -> None:
    charts = [
        score_chart("m", "iou", [POINT]),
        timeline_chart("r", list(RUN.stages.values())),
        cost_chart([RUN]),
        rule_chart([("all_zero", 3)]),
        drift_chart(COMPARED),
    ]
    for chart in charts:
        assert chart is not None
        spec = chart.spec(theme, width)
        assert alt.Chart.from_dict(spec).to_dict(validate=True)["$schema"] == spec["$schema"]
        assert f"/v{VERSION}" in spec["$schema"]


def test_nothing_to_draw_is_no_chart() -> None:
    assert timeline_chart("r", []) is None
    assert cost_chart([]) is None
    assert rule_chart([]) is None
    assert drift_chart(replace(COMPARED, statistics=())) is None
    many = drift_chart(replace(COMPARED, statistics=COMPARED.statistics[:1] * 34))
    assert many is not None
    assert "24 of 34 statistics, the most significant first" in many.alt


def test_results_that_were_found_cost_nothing_again() -> None:
    stages = {name: stage for name, stage in RUN.stages.items() if stage.run != RUN.run}
    assert stages == {}
    chart = cost_chart([RUN])
    assert chart is not None
    values = next(iter(chart.spec("light", "wide")["datasets"].values()))
    assert {row["value"] for row in values} == {60.0}


def test_words_say_simulated_only_where_it_is() -> None:
    assert "simulated" not in score_chart("m", "iou", [POINT]).alt
