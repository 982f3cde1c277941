"""Queries of the rules and panels, and the names that they may ask for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from tests.k8s.manifests import ROOT

FOLDER = ROOT / "k8s/monitoring"
RULES = sorted((FOLDER / "rules").glob("*.yaml"))
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
REGISTRY: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "components/lib/monitoring/metrics.yaml").read_text()
)
DECLARED: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "declared.yaml").read_text())
OF_SCRAPES = frozenset({"job", "instance", "namespace", "pod", "service", "endpoint", "container"})
"""Labels that Prometheus adds to what it scrapes."""

HISTOGRAM = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class Query:
    """One query, and where it stands."""

    where: str
    expression: str


@dataclass(frozen=True, slots=True)
class Selector:
    """One metric that a query asks for, with the labels that it filters by."""

    name: str
    labels: frozenset[str]


@cache
def rules() -> list[dict[str, Any]]:
    """Return every rule of every file, recording rules and alerts."""
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> list[dict[str, Any]]:
    """Return every alert."""
    return [rule for rule in rules() if "alert" in rule]


@cache
def panels() -> list[tuple[str, dict[str, Any]]]:
    """Return every panel with the name of its dashboard; rows are none."""
    return [
        (path.stem, panel)
        for path in DASHBOARDS
        for panel in json.loads(path.read_text())["panels"]
        if panel["type"] != "row"
    ]


@cache
def queries() -> list[Query]:
    """Return the queries of all rules and panels."""
    found = [Query(rule.get("alert") or rule["record"], rule["expr"]) for rule in rules()]
    for dashboard, panel in panels():
        found += [Query(f"{dashboard}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    return found


@cache
def selectors(expression: str) -> frozenset[Selector]:
    """Return the metrics that a query asks for.

    Raises:
        ValueError: If it cannot be parsed, or names a metric by a matcher alone.
    """
    found: set[Selector] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            if node.name is None:
                raise ValueError(f"a selector without a name: {node}")
            found.add(Selector(node.name, frozenset(one.name for one in node.matchers.matchers)))

    promql_parser.walk(promql_parser.parse(expression), visit)
    return frozenset(found)


def exposed(name: str, kind: str) -> set[str]:
    """Return the names under which Prometheus keeps a metric of our registry."""
    return {name + suffix for suffix in HISTOGRAM} if kind == "histogram" else {name}


def of_registry(registry: dict[str, dict[str, Any]]) -> dict[str, frozenset[str]]:
    """Return the labels by name of what our exporter may emit."""
    return {
        name: frozenset(said["labels"]) | ({"le"} if said["type"] == "histogram" else set())
        for metric, said in registry.items()
        for name in exposed(metric, said["type"])
    }


@cache
def of_airflow() -> dict[str, frozenset[str]]:
    """Return the labels by name of what Airflow's own registry lists, as the collector writes it."""
    said = DECLARED["airflow"]
    package = find_spec("airflow")  # importing it takes seconds
    assert package is not None
    assert package.origin is not None
    listed = yaml.safe_load((Path(package.origin).parent / said["registry"]).read_text("utf-8"))["metrics"]
    found: dict[str, frozenset[str]] = {}
    for metric in listed:
        if "{" in metric["name"]:
            continue
        kind = "gauge" if metric["name"] in said["up_down_counters"] else metric["type"]
        stem = re.sub(r"[^a-zA-Z0-9_]", said["separator"], f"{said['prefix']}.{metric['name']}")
        labels = frozenset(metric["name_variables"])
        found |= {stem + suffix: labels for suffix in said["suffixes"][kind]}
    return found


@cache
def of_others() -> set[str]:
    """Return the declared names of other exporters."""
    return {name for part in DECLARED.values() for name in part.get("names", ())}


@cache
def recorded() -> set[str]:
    """Return the names that our recording rules make."""
    return {rule["record"] for rule in rules() if "record" in rule}


def problems(found: list[Query], registry: dict[str, dict[str, Any]]) -> list[str]:
    """Return a line for each query that cannot be parsed, or asks for a name or label that nobody emits."""
    labelled = {**of_registry(registry), **of_airflow()}
    known = labelled.keys() | of_others() | recorded()
    said: list[str] = []
    for query in found:
        try:
            wanted = selectors(query.expression)
        except ValueError as error:
            said.append(f"{query.where}: {error}")
            continue
        said += [f"{query.where}: nobody emits {one.name}" for one in wanted if one.name not in known]
        for one in [one for one in wanted if one.name in labelled]:
            surplus = one.labels - labelled[one.name] - OF_SCRAPES
            said += [f"{query.where}: {one.name} has no label {label}" for label in sorted(surplus)]
    return sorted(said)
