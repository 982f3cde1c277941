"""Registry of metrics: what is declared follows Prometheus' conventions, and nothing else can be emitted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from components.contract.errors import BadDataError, ParameterError
from components.lib.monitoring.counts import Counts
from components.lib.monitoring.readings import Readings
from components.lib.monitoring.registry import Registry, declared, load_registry

BASE_UNITS = ("seconds", "bytes", "square_kilometres", "score", "per_second")
"""Units that end a name before `_total`; a metric that counts things has none."""


def test_names_follow_the_conventions_of_prometheus() -> None:
    for metric in declared().metrics.values():
        assert re.fullmatch(r"stormsight_[a-z][a-z0-9_]*", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert not metric.name.endswith(("_count", "_sum", "_bucket", "_milliseconds", "_hours")), metric.name
        if metric.unit == "seconds":
            assert metric.name.removesuffix("_total").endswith("_seconds"), metric.name
        if metric.name.endswith("_info"):
            assert (metric.kind, metric.unit) == ("gauge", "boolean")
        assert metric.help
        assert "\n" not in metric.help
        for label in metric.labels:
            assert re.fullmatch(r"[a-z][a-z_]*", label)
            assert label not in {"le", "quantile", "job", "instance", "run", "key"}, "bounded, and not taken"


def test_what_is_not_declared_cannot_be_emitted() -> None:
    readings = Readings()
    with pytest.raises(ValueError, match=r"stormsight_runs is not declared .*stormsight_runs_total"):
        readings.add("stormsight_runs", outcome="failed")
    with pytest.raises(ValueError, match="declared as counter, not as gauge"):
        readings.set("stormsight_runs_total", 1, outcome="failed")
    with pytest.raises(ValueError, match="declared as gauge, not as histogram"):
        readings.observe("stormsight_claims_open", 1)
    with pytest.raises(ValueError, match=r"has the labels \('outcome',\)"):
        readings.add("stormsight_runs_total", outcome="failed", run="r1")
    with pytest.raises(ValueError, match="cannot grow by -1"):
        readings.add("stormsight_runs_total", -1, outcome="failed")
    with pytest.raises(ValueError, match="cannot be nan"):
        readings.set("stormsight_claims_open", float("nan"))
    with pytest.raises(ValueError, match="cannot hold inf"):
        readings.observe("stormsight_stage_wait_seconds", float("inf"), stage="prepare")
    assert list(readings.collect()) == []


def test_values_are_exposed_as_prometheus_reads_them() -> None:
    readings = Readings()
    readings.set("stormsight_claims_open", 2)
    readings.add("stormsight_runs_total", outcome="failed")
    readings.add("stormsight_runs_total", 2, outcome="failed")
    for seconds in (0.5, 3.0, 1e9):
        readings.observe("stormsight_stage_duration_seconds", seconds, stage="prepare")
    values = exposed(readings)
    assert values["stormsight_claims_open", ()] == 2
    assert values["stormsight_runs_total", (("outcome", "failed"),)] == 3
    stage = ("stage", "prepare")
    buckets = {le: values["stormsight_stage_duration_seconds_bucket", (("le", le), stage)] for le in LE}
    assert buckets == {"1.0": 1, "5.0": 2, "172800.0": 2, "+Inf": 3}
    assert values["stormsight_stage_duration_seconds_count", (stage,)] == 3


LE = ("1.0", "5.0", "172800.0", "+Inf")


def test_counts_that_were_kept_are_added_again() -> None:
    counts = Counts()
    counts.add("stormsight_stages_total", 3, stage="prepare", restored="true")
    counts.observe("stormsight_stage_wait_seconds", 40.0, stage="prepare")
    again = Counts()
    again.merge(counts.saved())
    again.merge(counts.saved())
    saved = again.saved()
    assert saved.counters == {"stormsight_stages_total": [(["prepare", "true"], 6)]}
    assert saved.histograms == {"stormsight_stage_wait_seconds": [(["prepare"], {"60.0": 2}, 80.0)]}


def test_counts_of_other_buckets_and_of_what_is_declared_no_more(tmp_path: Path) -> None:
    counts = Counts()
    counts.add("stormsight_runs_total", outcome="failed")
    counts.observe("stormsight_stage_wait_seconds", 40.0, stage="prepare")
    path = tmp_path / "metrics.yaml"
    wait = "{type: histogram, unit: seconds, labels: [stage], buckets: [50, 100], help: wait}"
    path.write_text(f"stormsight_stage_wait_seconds: {wait}\n")
    other = Counts(load_registry(path))
    other.merge(counts.saved())
    assert other.saved().counters == {}
    assert other.saved().histograms["stormsight_stage_wait_seconds"] == [(["prepare"], {"100.0": 1}, 40.0)]


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ("{type: histogram, unit: s, labels: [], help: h}", ParameterError),
        ("{type: gauge, unit: s, labels: [], help: h, buckets: [1]}", ParameterError),
        ("{type: histogram, unit: s, labels: [], help: h, buckets: [2, 1]}", ParameterError),
        ("{type: timer, unit: s, labels: [], help: h}", BadDataError),
    ],
)
def test_a_malformed_declaration_is_refused(entry: str, error: type[Exception], tmp_path: Path) -> None:
    path = tmp_path / "metrics.yaml"
    path.write_text(f"name: {entry}\n")
    with pytest.raises(error, match=r"name in metrics\.yaml"):
        load_registry(path)


def exposed(readings: Readings) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the values that Prometheus' parser reads, by name and sorted labels."""
    registry = CollectorRegistry()
    registry.register(readings)
    text = generate_latest(registry).decode()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def test_the_registry_of_this_code_is_whole() -> None:
    assert isinstance(declared(), Registry)
    assert len(declared().metrics) >= 40
