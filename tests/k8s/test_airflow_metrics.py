"""Values by which Airflow sends its metrics: options that it knows, variables that it reads, one pipeline.

The chart is not at hand here; its keys were read in its templates (docs/operate/tested.md).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from tests.k8s.manifests import ROOT

VALUES: dict[str, Any] = yaml.safe_load((ROOT / "k8s/airflow/metrics.yaml").read_text())
BASE: dict[str, Any] = yaml.safe_load((ROOT / "k8s/airflow/values.yaml").read_text())
WAYS = list(yaml.safe_load_all((ROOT / "k8s/monitoring/airflow.yaml").read_text()))


def airflow_file(name: str) -> str:
    package = find_spec("airflow")
    assert package is not None
    assert package.origin is not None
    return (Path(package.origin).parent / name).read_text("utf-8")


def test_airflow_knows_every_option_and_reads_every_variable() -> None:
    known = yaml.safe_load(airflow_file("config_templates/config.yml"))["metrics"]["options"]
    assert set(VALUES["config"]["metrics"]) <= set(known)
    reads = airflow_file("_shared/observability/otel_env_config.py")
    assert all(f'"{one["name"]}"' in reads for one in VALUES["env"] if one["name"].startswith("OTEL_"))


def test_the_variables_of_the_other_values_are_kept() -> None:
    names = [one["name"] for one in VALUES["env"]]
    assert all(one in VALUES["env"] for one in BASE["env"]), "Helm replaces lists"
    assert len(names) == len(set(names))


def test_what_is_sent_arrives_where_it_is_scraped() -> None:
    collector = yaml.safe_load(VALUES["otelCollector"]["config"])
    [pipeline] = collector["service"]["pipelines"].values()
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) == set(collector[part])
    sent_to = next(one["value"] for one in VALUES["env"] if one["name"] == "OTEL_EXPORTER_OTLP_ENDPOINT")
    received = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"]
    scraped = collector["exporters"]["prometheus"]["endpoint"]
    ports = {
        port["port"]
        for way in WAYS
        if way["kind"] == "NetworkPolicy"
        for rule in (*way["spec"].get("ingress", ()), *way["spec"].get("egress", ()))
        for port in rule["ports"]
    }
    assert ports == {int(sent_to.rsplit(":")[-1]), int(scraped.rsplit(":")[-1])}
    assert received.rsplit(":")[-1] == sent_to.rsplit(":")[-1]
