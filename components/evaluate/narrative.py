"""The report's words and tables, made from the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.evaluate.parameters import EvaluateParameters
from components.evaluate.splits import CLEAN, KANG
from components.evaluate.subjects import Cast
from components.evaluate.summary import Result, SliceResult, headline_split
from components.lib.datasets.sensors import SENSORS
from components.lib.methods.registry import CONTROL
from components.lib.metrics.bootstrap import Interval
from components.lib.report.content import Difference, ResultRow, ResultTable, SliceTable
from components.lib.report.page import signed
from components.lib.scoring.slices import NODATA_BANDS, SIZE_BANDS

TITLES = {CLEAN: "Held-out ground that no training tile saw", KANG: "All test tiles"}
NOTES = {
    CLEAN: "The headline (sn6-clean): test tiles that share no ground with any training tile.",
    KANG: "For comparison with published work (sn6-kang): the published training tiles share part of it.",
}
SLICE_TITLES = {
    "orientation": "Flight direction",
    "building_size": "Building size",
    "nodata": "No-data in the tile",
}
"""The sensor dimension is missing on purpose: every row of the result tables names its sensor."""


def simulated_notice(sensors: Sequence[str]) -> str:
    """What the banner says, or "" where no sensor is simulated."""
    simulated = [name for name in sensors if name in SENSORS and SENSORS[name].simulated]
    if not simulated:
        return ""
    return (
        f"Every number and picture of {' and '.join(simulated)} comes from the rehearsal world, a procedural "
        "city. None of it says how well a model does on SpaceNet 6."
    )


def summary(
    results: Sequence[Result], cast: Cast, differences: Mapping[tuple[str, str, str, str], Interval]
) -> list[str]:
    """The outcome in a few sentences."""
    split = headline_split(results)
    found: dict[tuple[str, str | None], Result] = {
        (r.subject.model, r.subject.sensor): r for r in results if r.split == split
    }
    sentences = []
    student = found.get((cast.student, cast.source))
    if student is not None:
        tiles, locations = len(student.scores.tiles), student.iou.locations
        parts = [
            f"{label} {found[name, cast.source].iou.value:.3f}"
            for name, label in (
                ("teacher", "the optical teacher reaches a pixel IoU of"),
                (CONTROL, "the SAR-only control"),
                (cast.student, f"the distilled student ({cast.student})"),
            )
            if (name, cast.source) in found and not (name == cast.student == CONTROL)
        ]
        text = f"{', '.join(parts)}."
        sentences.append(f"On {tiles} held-out tiles at {locations} locations {text}")
    gain = differences.get((cast.student, CONTROL, cast.source, "iou"))
    if gain is not None:
        sentences.append(f"Distillation changes the pixel IoU by {_told(gain)} against the control.")
    before, after = found.get(("unadapted", cast.target)), found.get(("adapted", cast.target))
    if before is not None and after is not None:
        change = differences.get(("adapted", "unadapted", str(cast.target), "iou"))
        sentences.append(
            f"On {cast.target}, a sensor without labels, adaptation takes the student from "
            f"{before.iou.value:.3f} to {after.iou.value:.3f}"
            + (f", a change of {_told(change)}." if change is not None else ".")
        )
    if split == KANG:
        sentences.append("No test tile is free of training ground, so the headline is on all test tiles.")
    return sentences


def _told(change: Interval) -> str:
    """A paired difference in words, with its interval."""
    if change.degenerate:
        return f"{signed(change.value)} (one location, no interval)"
    clear = "" if change.low > 0 or change.high < 0 else ", not distinguishable"
    ends = f"{signed(change.low)} to {signed(change.high)}"
    return f"{signed(change.value)} ({change.confidence:.0%} interval {ends}{clear})"


def result_tables(results: Sequence[Result], cast: Cast) -> list[ResultTable]:
    """The headline table first, then the other split."""
    order = [headline_split(results), *({CLEAN, KANG} - {headline_split(results)})]
    return [
        ResultTable(title=TITLES[split], about=NOTES[split], rows=[_row(r, cast) for r in part])
        for split in order
        if (part := [r for r in results if r.split == split])
    ]


def _row(result: Result, cast: Cast) -> ResultRow:
    subject = result.subject
    compared = {(cast.student, cast.source), ("adapted", cast.target)}
    return ResultRow(
        model=subject.model,
        what=subject.what,
        sensor=subject.sensor,
        iou=result.iou,
        f1=result.f1,
        values=result.values,
        emphasis=(subject.model, subject.sensor) in compared,
    )


def difference_rows(differences: Mapping[tuple[str, str, str, str], Interval]) -> list[Difference]:
    """Paired differences as the report shows them."""
    names = {"iou": "Pixel IoU", "f1": "SpaceNet F1"}
    return [
        Difference(label=f"{a} \N{MINUS SIGN} {b}", sensor=sensor, metric=names[metric], interval=value)
        for (a, b, sensor, metric), value in differences.items()
    ]


def slice_rows(slices: Sequence[SliceResult]) -> list[SliceTable]:
    """Slice tables: IoU where tiles are sliced, F1 where buildings are."""
    tables = []
    for dimension, title in SLICE_TITLES.items():
        part = [s for s in slices if s.dimension == dimension]
        names = list(dict.fromkeys(s.name for s in part))
        if len(names) < 2:
            continue  # a single slice says nothing that the headline does not
        columns = list(dict.fromkeys(_column(s) for s in part))
        by_building = dimension == "building_size"
        rows = []
        for name in names:
            own = {_column(s): s for s in part if s.name == name}
            count = max(s.buildings if by_building else s.tiles for s in own.values())
            values = [(own[c].iou or own[c].f1) if c in own else None for c in columns]
            rows.append((_slice_name(dimension, name), count, values))
        metric = "SpaceNet F1, counted in buildings" if by_building else "pixel IoU, counted in tiles"
        tables.append(SliceTable(title=title, metric=metric, models=columns, rows=rows))
    return tables


def _column(result: SliceResult) -> tuple[str, str]:
    return result.result.subject.model, result.result.subject.sensor


def _slice_name(dimension: str, key: str) -> str:
    if dimension == "building_size":
        low, high = SIZE_BANDS[key]
        return f"{key}, {_square_metres(low, high)}"
    if dimension == "nodata":
        low, high = NODATA_BANDS[key]
        return f"{key}, {low:.0%} to {min(high, 1):.0%}"
    return key.replace("-", " ")


def _square_metres(low: float, high: float) -> str:
    if low == 0:
        return f"below {high / 4:.0f} m\N{SUPERSCRIPT TWO}"
    if high == float("inf"):
        return f"{low / 4:.0f} m\N{SUPERSCRIPT TWO} and more"
    return f"{low / 4:.0f} to {high / 4:.0f} m\N{SUPERSCRIPT TWO}"


def definitions(parameters: EvaluateParameters, results: Sequence[Result]) -> list[tuple[str, str]]:
    """Terms of the tables, and how the results came about."""
    return [
        (
            "Pixel IoU, P, R, F1",
            "Of the building class, from counts summed over all tiles; building is a probability above "
            f"{parameters.threshold}. Where there is no data, nothing is predicted.",
        ),
        (
            "SpaceNet F1, Precision, Recall",
            f"Of polygons: proposals over {parameters.min_area_px} px against truth of at least that, one to "
            f"one by confidence where their IoU exceeds {parameters.iou}, summed over all tiles.",
        ),
        ("Polygons", _polygons(parameters, results)),
        ("Views", _views(parameters)),
        (
            "AP@0.5",
            "Area under precision over recall of the same matches; a polygon's confidence is the mean "
            "building probability of the class map inside it.",
        ),
        (
            "Dice",
            "Mean over tiles of the hard Dice with one added above and below, only to compare with logs of "
            "published code: an empty tile left empty scores 1.",
        ),
        (
            "Intervals",
            f"{parameters.confidence:.0%} percentile intervals of {parameters.resamples} bootstrap draws "
            "over locations, not tiles: neighbouring tiles show the same buildings.",
        ),
        (
            "Building size",
            "A match or a miss belongs to the size of the true building, a false alarm to its own size; the "
            "counts of all sizes add up to the total.",
        ),
    ]


def _polygons(parameters: EvaluateParameters, results: Sequence[Result]) -> str:
    """What drew the polygons, and of which models."""
    drawn: dict[str, list[str]] = {}
    for name, by in {r.subject.model: r.drawn_by for r in results}.items():
        drawn.setdefault(by, []).append(name)
    watershed = (
        "By watershed from the contour head's footprint, edge and contact maps: touching buildings are taken "
        f"apart from seeds above {parameters.seed_threshold} of at least {parameters.min_seed_px} px"
    )
    plain = "Around the connected parts of the class map, so that touching buildings are one"
    if len(drawn) < 2:
        return f"{watershed if 'watershed' in drawn else plain}. All models alike."
    return (
        f"{watershed} ({', '.join(drawn['watershed'])}). {plain}, where a network has no contour head "
        f"({', '.join(drawn['plain'])})."
    )


def _views(parameters: EvaluateParameters) -> str:
    """Which views of a tile were averaged."""
    scales = ", ".join(f"{scale:g}" for scale in parameters.scales)
    if parameters.scales == (1.0,):
        seen = "as it is and in the left-right mirror" if parameters.flip else "once, as it is"
    else:
        seen = f"at scales {scales}" + (", each in the left-right mirror too" if parameters.flip else "")
    averaged = "; the probabilities are averaged" if parameters.flip or len(parameters.scales) > 1 else ""
    return f"Every model sees every tile {seen}{averaged}."
