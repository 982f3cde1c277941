"""The metric files of ``dvc.yaml`` are headlines: few numbers, flat, and one readable table together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from dvc.compare import metrics_table

from components.adapt.run import AdaptRun
from components.contract.graph.load import load_graph
from components.evaluate.results import headline_numbers
from components.lib.engine.stage import HEADLINE, StageRun
from components.prepare.store import headline
from components.promote.record import headline as promotion_headline
from components.validate.stage import HEADLINE as VERDICT
from tests.conftest import ROOT
from tests.lib.evaluation.test_evaluation_results import EVALUATION

MOST_NUMBERS = 8
WIDEST = 230
"""Characters of the table that ``dvc metrics show`` prints for a finished pipeline."""

TRAINED = dict.fromkeys(HEADLINE, 0.1234) | {"seconds": 12345.6}
THROUGHPUT = {"crops_per_second": 123.45}
"""What the engine adds to the headline of each training, for the exporter of metrics."""
ROLES = {"source": TRAINED, "target": TRAINED}


def evaluated() -> dict[str, float]:
    """The headline of an evaluation with every model there is."""
    (result,) = EVALUATION.results
    models = [("teacher", "a"), ("none", "a"), ("concord", "a"), ("adapted", "b"), ("unadapted", "b")]
    results = tuple(replace(result, model=model, sensor=sensor) for model, sensor in models)
    return headline_numbers(replace(EVALUATION, target="b", results=results))


def decided() -> dict[str, Any]:
    """The headline of a decision on a challenger of each model."""
    part = {
        "outcome": "promoted",
        "decision": {"metric": "iou", "challenger": {"value": 0.1234}},
    }
    return promotion_headline({"models": {"stormsight-optical": part, "stormsight-sar": part}})


def written() -> dict[str, dict[str, Any]]:
    """Headline of each stage, by the beginning of the file's path."""
    sensor = {"clean": 12345}
    adapted: Any = {"before": ROLES, "after": ROLES, "seconds": 12345.6, "steps": 1}
    trained: Any = TRAINED | {"split": "selection", "tiles": 3}
    return {
        "reports/validate/": dict.fromkeys(VERDICT, 12345) | {"rules": {}},
        "reports/prepare/": dict(headline({"tiles": 12345, "sensors": {"a": sensor, "b": sensor}})),
        "reports/optical/": StageRun.headline(None, trained) | THROUGHPUT,  # type: ignore[arg-type]
        "reports/distill/": StageRun.headline(None, trained) | THROUGHPUT,  # type: ignore[arg-type]
        "reports/adapt/": AdaptRun.headline(None, adapted) | THROUGHPUT,  # type: ignore[arg-type]
        "reports/evaluate/": evaluated(),
        "reports/promote/": decided(),
    }


GRAPH = load_graph(ROOT / "dvc.yaml", ROOT / "params.yaml")
DECLARED = [out for stage in GRAPH for out in stage.outs if out.endswith("/metrics.json")]


def test_headline_files_are_the_metrics_of_the_graph() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    del stages["check"]
    named = [
        path
        for stage in stages.values()
        for entry in stage.get("do", stage).get("metrics", [])
        for path in entry
    ]
    assert all(path.endswith("/metrics.json") for path in named)
    plain = [stage for stage in stages.values() if "foreach" not in stage]
    outs = [out for stage in plain for out in stage.get("outs", [])]
    assert not [out for out in outs if out.endswith("metrics.json")]
    assert {"reports/validate/verdict.json", "reports/prepare/details.json"} <= set(outs)


def content(path: str) -> dict[str, Any]:
    (found,) = (numbers for folder, numbers in written().items() if path.startswith(folder))
    return found


@pytest.mark.parametrize("path", DECLARED)
def test_a_metric_file_is_a_few_flat_numbers(path: str) -> None:
    numbers = content(path)
    assert 1 <= len(numbers) <= MOST_NUMBERS
    flat = {name: value for name, value in numbers.items() if name != "rules"}
    assert all(isinstance(value, int | float) and not isinstance(value, bool) for value in flat.values())
    # A number for each rule that put a tile into quarantine: a column only where there is one.
    assert all(isinstance(value, int) for value in numbers.get("rules", {}).values())


def test_all_of_them_make_a_table_that_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    files = {path: {"data": content(path)} for path in DECLARED}
    assert len(files) > 6
    metrics_table({"": {"data": files}}, precision=5).render()
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert len(lines) > len(files)
    assert max(map(len, lines)) < WIDEST
