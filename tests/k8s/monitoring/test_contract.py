"""The contract of names: rules and panels ask for nothing that nobody emits."""

from __future__ import annotations

import re
import runpy
from typing import Any

import pytest

from tests.k8s.monitoring.queries import (
    DECLARED,
    FOLDER,
    REGISTRY,
    Query,
    alerts,
    of_airflow,
    panels,
    problems,
    queries,
    recorded,
    rules,
    selectors,
)


def test_every_query_asks_for_what_somebody_emits() -> None:
    assert problems(queries(), REGISTRY) == []


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_a_renamed_metric_is_noticed(name: str) -> None:
    """Every metric of the registry is asked for somewhere, and renaming it breaks the contract."""
    renamed = {("renamed_" + key if key == name else key): said for key, said in REGISTRY.items()}
    broken = problems(queries(), renamed)
    assert broken
    assert all(name in line for line in broken)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("sum(stormsight_claims_opened)", "nobody emits stormsight_claims_opened"),
        ("rate(airflow_ti_finish[5m])", "nobody emits airflow_ti_finish"),
        ("stormsight_claims_open{stage='x'}", "stormsight_claims_open has no label stage"),
        ("sum(rate(stormsight_runs_total[5m])", "unclosed left parenthesis"),
        ("{job='stormsight-exporter'}", "without a name"),
        ("absent(kube_pod_gone)", "nobody emits kube_pod_gone"),
    ],
)
def test_a_wrong_query_is_noticed(expression: str, said: str) -> None:
    [line] = problems([Query("trial", expression)], REGISTRY)
    assert said in line


def test_names_of_airflow_are_those_of_its_registry() -> None:
    names = of_airflow()
    assert {"airflow_scheduler_heartbeat_total", "airflow_ti_finish_total"} <= names.keys()
    assert "airflow_task_queued_duration_milliseconds_sum" in names
    assert "airflow_dag_processing_processes" in names, "an UpDownCounter is a gauge"
    assert names["airflow_ti_finish_total"] == {"dag_id", "task_id", "state"}


def test_what_is_declared_or_recorded_is_asked_for() -> None:
    asked = {one.name for query in queries() for one in selectors(query.expression)}
    others = {name for part in DECLARED.values() for name in part.get("names", ())} - {"up"}
    assert (others | recorded()) - asked == set()


def test_names_of_rules_are_unique() -> None:
    names = [rule.get("alert") or rule["record"] for rule in rules()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("script", ["alerts", "dashboards"])
def test_committed_files_are_what_is_rendered(script: str) -> None:
    made: dict[str, Any] = runpy.run_path(str(FOLDER / f"{script}.py"))
    if script == "alerts":
        texts = {"rules/failures.yaml": made["failures"](), "operator/rules.yaml": made["operator_rules"]()}
    else:
        texts = {f"dashboards/{name}.json": text for name, text in made["rendered"]().items()}
        assert {path.stem for path in (FOLDER / "dashboards").iterdir()} == set(made["rendered"]())
    for name, text in texts.items():
        assert (FOLDER / name).read_text("utf-8") == text, f"{name}: run k8s/monitoring/{script}.py"


def test_every_dashboard_that_an_alert_names_is_there() -> None:
    there = {f"/d/stormsight-{dashboard}" for dashboard, _ in panels()}
    assert {alert["annotations"]["dashboard"] for alert in alerts()} <= there


def test_bounds_of_service_levels_are_buckets_of_their_histograms() -> None:
    """A bound that is no bucket would select nothing, and all events would count as late."""
    pattern = re.compile(r"(stormsight_landing_to_\w+)_bucket{le=~\"(\d+)\(\[.\]0\)\?\"}")
    found = {bound for rule in rules() for bound in pattern.findall(rule["expr"])}
    assert {name for name, _ in found} == {
        "stormsight_landing_to_decision_seconds",
        "stormsight_landing_to_map_seconds",
    }
    for name, bound in found:
        assert int(bound) in REGISTRY[name]["buckets"], name
