"""Slice tables of the report: scores by flight direction, building size and share of no-data."""

from __future__ import annotations

from collections.abc import Sequence

from components.lib.evaluation.names import model_title
from components.lib.evaluation.results import Evaluation, SliceResult
from components.lib.metrics.intervals import Interval
from components.lib.report.content import SliceGroup, SliceTable

SLICE_TITLES = {
    "orientation": "Flight direction",
    "building_size": "Building size",
    "nodata": "No-data in the tile",
}
"""The sensor dimension is missing on purpose: every row names its sensor."""

SQUARE_PIXELS_PER_SQUARE_METRE = 4
"""Pixels are 0.5 m wide (prepare)."""


def slice_tables(evaluation: Evaluation) -> list[SliceTable]:
    """Return one table per dimension: IoU where tiles are sliced, F1 where buildings are."""
    tables = []
    for dimension, title in SLICE_TITLES.items():
        part = [s for s in evaluation.slices if s.dimension == dimension]
        names = list(dict.fromkeys(s.name for s in part))
        if len(names) < 2:
            continue  # a single slice says nothing that the headline does not
        by_building = dimension == "building_size"
        metric = "SpaceNet F1, counted in buildings" if by_building else "pixel IoU, counted in tiles"
        slices = [slice_title(evaluation, dimension, name) for name in names]
        groups = [
            _group(sensor, [s for s in part if s.sensor == sensor], names)
            for sensor in dict.fromkeys(s.sensor for s in part)
        ]
        tables.append(SliceTable(title=title, metric=metric, slices=slices, groups=groups))
    return tables


def _group(sensor: str, part: Sequence[SliceResult], names: Sequence[str]) -> SliceGroup:
    """Return the models' values on one sensor, in the order of the slices."""
    by_building = part[0].dimension == "building_size"
    counts = [
        max((s.buildings if by_building else s.tiles for s in part if s.name == name), default=0)
        for name in names
    ]
    rows = [
        (model_title(model), _values({s.name: s for s in part if s.model == model}, names))
        for model in dict.fromkeys(s.model for s in part)
    ]
    return SliceGroup(sensor=sensor, counts=counts, rows=rows)


def _values(own: dict[str, SliceResult], names: Sequence[str]) -> list[Interval | None]:
    return [(own[name].iou or own[name].f1) if name in own else None for name in names]


def slice_title(evaluation: Evaluation, dimension: str, name: str) -> str:
    """Return the title of a slice, with its bounds where it is a band."""
    if dimension not in evaluation.slice_bounds:
        return name.replace("-", " ")
    low, high = evaluation.slice_bounds[dimension][name]
    if dimension == "building_size":
        return f"{name}, {_square_metres(low, high)}"
    return f"{name}, {low:.0%} to {min(1.0 if high is None else high, 1):.0%}"


def _square_metres(low: float, high: float | None) -> str:
    least = low / SQUARE_PIXELS_PER_SQUARE_METRE
    if high is None:
        return f"{least:.0f} m\N{SUPERSCRIPT TWO} and more"
    most = f"{high / SQUARE_PIXELS_PER_SQUARE_METRE:.0f} m\N{SUPERSCRIPT TWO}"
    return f"below {most}" if low == 0 else f"{least:.0f} to {most}"
