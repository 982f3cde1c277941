from __future__ import annotations

from dataclasses import replace

from components.lib.evaluation.results import SliceResult, read_evaluation
from components.lib.metrics.intervals import Interval
from components.report.slices import slice_tables
from tests.evaluate.finished import Finished


def result(model: str, sensor: str, name: str, tiles: int, iou: float | None) -> SliceResult:
    value = Interval(iou or 0.5, 0.1, 0.9, 0.1, 0.9, 7, False)
    return SliceResult(
        model=model,
        sensor=sensor,
        split="sn6-clean",
        dimension="orientation",
        name=name,
        tiles=tiles,
        buildings=10 * tiles,
        iou=None if iou is None else value,
        f1=value,
        precision=0.5,
        recall=0.5,
    )


def test_slices_are_the_columns_however_many_models_there_are(finished: Finished) -> None:
    evaluation = read_evaluation(finished.out / "results.json")
    models = ["teacher", "none", *(f"method-{number}" for number in range(20))]
    slices = [
        result(model, "a", name, tiles, 0.5)
        for model in models
        for name, tiles in (("from-north", 4), ("from-south", 6))
    ]
    slices.append(result("adapted", "b", "from-south", 3, 0.25))
    (table,) = slice_tables(replace(evaluation, slices=tuple(slices)))
    assert table.slices == ["from north", "from south"]
    first, second = table.groups
    assert (first.sensor, first.counts, len(first.rows)) == ("a", [4, 6], 22)
    assert [title for title, _ in first.rows][:2] == ["Optical teacher", "SAR-only control"]
    assert (second.sensor, second.counts) == ("b", [0, 3])
    ((title, values),) = second.rows
    assert title == "Adapted student"
    assert values[0] is None
    assert values[1] is not None
    assert values[1].value == 0.25
