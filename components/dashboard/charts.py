"""Charts as Vega-Lite specifications: scores with intervals, stages over time, seconds, tiles, drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt
import pandas as pd

from components.lib.drift.records import ComparisonRecord
from components.lib.history.facts import RunFacts, StageFacts

Spec = dict[str, Any]

OUTCOMES: Final = ("champion", "promoted", "refused", "awaits approval")

SHAPES: Final = ("diamond", "circle", "cross", "square")

ROWS: Final = 24
"""Rows of a chart at most: the longest."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a chart, as of the page around it.

    Attributes:
        ink: Of text.
        soft: Of labels.
        line: Of grid and axes.
        series: Of marks, in order, apart for every kind of colour vision (after Okabe and Ito, 2008).
    """

    ink: str
    soft: str
    line: str
    series: tuple[str, str, str, str]


THEMES: Final = {
    "light": Theme("#1b1f24", "#525b66", "#d9dee4", ("#005a8f", "#56a5d8", "#c2570c", "#8a6d00")),
    "dark": Theme("#e8ecf0", "#a3adb8", "#343c45", ("#7cc4f5", "#3f83b3", "#f59b5f", "#e3c34d")),
}

WIDTHS: Final = {"wide": 1040, "narrow": 270}
"""Width of the plot, CSS pixels, on a desktop and on a phone."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is drawn when it is asked for.

    Attributes:
        alt: Description for a reader who cannot see it; a table beside it has the numbers.
        make: Function of theme and width that returns its specification.
    """

    alt: str
    make: Callable[[Theme, int], Spec]

    def spec(self, theme: str, width: str) -> Spec:
        """Return its specification in a theme of :data:`THEMES` and a width of :data:`WIDTHS`."""
        return self.make(THEMES[theme], WIDTHS[width])


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePoint:
    """Score of one judged model.

    Attributes:
        run: Run that made it.
        time: End of the run, ISO 8601; empty if nothing kept it.
        outcome: One of :data:`OUTCOMES`.
        score: Score.
        low: Lower end of its interval; None without one.
        high: Upper end of it.
        simulated: Whether it was measured in the simulated world.
    """

    run: str
    time: str
    outcome: str
    score: float
    low: float | None
    high: float | None
    simulated: bool


def score_chart(model: str, metric: str, points: Sequence[ScorePoint]) -> Chart:
    """Return the scores of a model in the order of its runs, with intervals; the champion is a diamond."""
    rows = [
        {
            "n": number,
            "run": point.run,
            "outcome": point.outcome,
            "score": point.score,
            "low": point.score if point.low is None else point.low,
            "high": point.score if point.high is None else point.high,
        }
        for number, point in enumerate(points, 1)
    ]
    simulated = "simulated " if any(point.simulated for point in points) else ""

    def make(theme: Theme, width: int) -> Spec:
        base = alt.Chart(pd.DataFrame(rows))
        order = alt.X("n:O", title="training, oldest first", axis=alt.Axis(labelAngle=0, labelOverlap=True))
        colour = alt.Color(
            "outcome:N",
            scale=alt.Scale(domain=list(OUTCOMES), range=_range(theme)),
            legend=alt.Legend(orient="top", title=None),
        )
        shape = alt.Shape(
            "outcome:N",
            scale=alt.Scale(domain=list(OUTCOMES), range=list(SHAPES)),
        )
        whisker = base.mark_rule(strokeWidth=2, opacity=0.65).encode(
            x=order, y=alt.Y("low:Q", title=f"{simulated}{metric}", scale=alt.Scale(zero=True)), y2="high:Q",
            color=colour,
        )  # fmt: skip
        value = base.mark_point(filled=True, size=110, opacity=1).encode(
            x=order, y="score:Q", color=colour, shape=shape
        )
        return _plain(alt.layer(whisker, value).properties(width=width, height=210), theme)

    words = f"{len(points)} trainings" if len(points) != 1 else "one training"
    return Chart(f"{simulated}{metric} of {model} with its interval over {words}", make)


def timeline_chart(run: str, stages: Sequence[StageFacts]) -> Chart | None:
    """Return a bar from start to end of each stage, after the first began; None if nothing kept times."""
    known = [(s.stage, s.started, s.ended, s.restored) for s in stages if s.started and s.ended]
    if not known:
        return None
    first, last = min(started for _, started, _, _ in known), max(ended for _, _, ended, _ in known)
    unit, seconds = ("minutes", 60) if (last - first).total_seconds() > 300 else ("seconds", 1)
    rows = [
        {
            "stage": stage,
            "from": (started - first).total_seconds() / seconds,
            "to": (ended - first).total_seconds() / seconds,
            "kind": "found in the cache" if restored else "done by a run",
        }
        for stage, started, ended, restored in sorted(known, key=lambda item: (item[1], item[0]))[:ROWS]
    ]

    def make(theme: Theme, width: int) -> Spec:
        chart = (
            alt.Chart(pd.DataFrame(rows))
            .mark_bar(cornerRadius=2, height={"band": 0.62})
            .encode(
                y=alt.Y("stage:N", sort=None, title=None, axis=alt.Axis(labelLimit=_label_limit(width))),
                x=alt.X("from:Q", title=f"{unit} since the first stage", axis=alt.Axis(tickCount=6)),
                x2="to:Q",
                color=alt.Color(
                    "kind:N",
                    scale=alt.Scale(
                        domain=["done by a run", "found in the cache"], range=list(theme.series[:2])
                    ),
                    legend=alt.Legend(orient="top", title=None),
                ),
            )
            .properties(width=width - _label_limit(width) + 60, height=max(26 * len(rows), 60))
        )
        return _plain(chart, theme)

    return Chart(f"stages of run {run} over time", make)


def cost_chart(runs: Sequence[RunFacts]) -> Chart | None:
    """Return seconds by stage of the runs' own stages, all of a stage's parts together; None without any."""
    totals: dict[str, float] = {}
    for run in runs:
        for stage in run.stages.values():
            if stage.run == run.run and (seconds := seconds_of(stage)) is not None:
                totals[stage.name] = totals.get(stage.name, 0.0) + seconds
    title = "seconds" if len(runs) == 1 else f"seconds, {len(runs)} runs together"
    return _bars(totals, title, "seconds by stage")


def rule_chart(counts: Sequence[tuple[str, int]]) -> Chart | None:
    """Return quarantined tiles by rule; None without any."""
    return _bars(dict(counts), "quarantined tiles", "quarantined tiles by rule")


def drift_chart(compared: ComparisonRecord) -> Chart | None:
    """Return the effects of a comparison with intervals, the most significant first; None without any."""
    alpha = compared.alpha or 0.0
    rows = [
        {
            "statistic": one.statistic,
            "effect": one.effect,
            "low": one.low,
            "high": one.high,
            "kind": "shifted" if one.p_value <= alpha else "not shifted",
        }
        for one in compared.statistics[:ROWS]
    ]
    if not rows:
        return None

    def make(theme: Theme, width: int) -> Spec:
        base = alt.Chart(pd.DataFrame(rows))
        axis = alt.Axis(labelLimit=_label_limit(width))
        statistic = alt.Y("statistic:N", sort=None, title=None, axis=axis)
        colours = [theme.series[2], theme.series[0]]
        colour = alt.Color(
            "kind:N",
            scale=alt.Scale(domain=["shifted", "not shifted"], range=colours),
            legend=alt.Legend(orient="top", title=None),
        )
        title = "standard deviations of the reference's locations" if width == WIDTHS["wide"] else "effect"
        low = alt.X("low:Q", title=title, axis=alt.Axis(tickCount=6))
        interval = base.mark_rule(strokeWidth=2, opacity=0.65).encode(
            y=statistic, x=low, x2="high:Q", color=colour
        )
        effect = base.mark_point(filled=True, size=80, opacity=1).encode(
            y=statistic,
            x="effect:Q",
            color=colour,
            shape=alt.Shape(
                "kind:N", scale=alt.Scale(domain=["shifted", "not shifted"], range=["diamond", "circle"])
            ),
        )
        none = alt.Chart(pd.DataFrame([{"at": 0.0}])).mark_rule(color=theme.soft).encode(x="at:Q")
        chart = alt.layer(none, interval, effect).properties(
            width=width - _label_limit(width) + 60, height=max(22 * len(rows), 60)
        )
        return _plain(chart, theme)

    simulated = "simulated " if compared.simulated else ""
    many = len(compared.statistics)
    words = "" if many <= ROWS else f", {ROWS} of {many} statistics, the most significant first"
    return Chart(f"effects on {simulated}{compared.acquisition} with their 95 % intervals{words}", make)


def seconds_of(stage: StageFacts) -> float | None:
    """Return the seconds of a stage as a whole: its duration, else what it states; None without either."""
    if stage.duration is not None:
        return stage.duration
    return stage.seconds.get("run")


def _bars(totals: dict[str, float] | dict[str, int], title: str, description: str) -> Chart | None:
    if not totals:
        return None
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:ROWS]
    rows = [{"name": name, "value": value} for name, value in ordered]

    def make(theme: Theme, width: int) -> Spec:
        base = alt.Chart(pd.DataFrame(rows)).encode(
            y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=_label_limit(width))),
            x=alt.X("value:Q", title=title, axis=alt.Axis(tickCount=5, tickMinStep=1)),
        )
        bars = base.mark_bar(cornerRadius=2, color=theme.series[0], height={"band": 0.62})
        text = base.mark_text(align="left", dx=5, color=theme.ink).encode(
            text=alt.Text("value:Q", format=",.4~g")
        )
        chart = alt.layer(bars, text).properties(
            width=width - _label_limit(width) + 60, height=max(26 * len(rows), 60)
        )
        return _plain(chart, theme)

    return Chart(description, make)


def _label_limit(width: int) -> int:
    """Return the width of the names beside a plot, CSS pixels."""
    return 110 if width == WIDTHS["narrow"] else 180


def _range(theme: Theme) -> list[str]:
    champion, promoted, refused, waits = theme.series
    return [champion, promoted, refused, waits]


def _plain(chart: alt.TopLevelMixin, theme: Theme) -> Spec:
    """Return a chart's specification with light grid lines and the theme's colours, on no background."""
    font = "'Liberation Sans', Arial, Helvetica, sans-serif"  # as wide as where it was measured
    axis = {
        "labelColor": theme.soft,
        "titleColor": theme.soft,
        "gridColor": theme.line,
        "domainColor": theme.line,
        "tickColor": theme.line,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    }
    spec: Spec = chart.to_dict(validate=False)  # a tenth of a second; tests validate
    spec["background"] = "transparent"
    spec["padding"] = 4
    spec["config"] = {
        "font": font,
        "view": {"stroke": None},
        "axis": axis,
        "axisY": {"ticks": False},
        "legend": {
            "labelColor": theme.ink,
            "labelFontSize": 12,
            "symbolSize": 90,
            "symbolOpacity": 1,
            "columnPadding": 24,
        },
        "text": {"fontSize": 12},
    }
    return spec
