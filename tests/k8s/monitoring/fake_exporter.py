"""Exporter of every metric of the registry, and of what panels ask of others, with plausible values."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

LABELS = {
    "stage": ("optical", "distill"),
    "currency": ("EUR",),
    "failure_class": ("crashed",),
    "outcome": ("succeeded", "failed", "promoted", "refused"),
    "restored": ("true", "false"),
    "step": ("pull", "run", "push"),
    "position": ("new", "at_work", "trained", "barred", "spent"),
    "rule": ("no_data", "saturated"),
    "state": ("pending", "withdrawn"),
    "model": ("stormsight-sar",),
    "version": ("7",),
    "method": ("concord",),
    "simulated": ("true",),
    "metric": ("f1",),
    "bound": ("value", "low", "high"),
    "kind": ("added", "removed", "enlarged"),
    "ledger": ("operations", "champions"),
    "source": ("operations", "records", "champions", "landing", "maps", "ledgers"),
}
"""Values of the registry's labels."""

GAUGES = {
    "stormsight_tiles_validated": 400.0,
    "stormsight_claims_silent": 0.0,
    "stormsight_sets_barred": 0.0,
    "stormsight_deliveries_rejected": 0.0,
    "stormsight_records_unreadable": 0.0,
    "stormsight_retraining_requests_open": 0.0,
    "stormsight_ledger_entries": 120.0,
}
"""Values that are not 1."""

GROWTH = 0.002
"""Counts a second of each counter: panels of increases have something to show, and no alert fires for it."""

_OTHERS = (
    "airflow_scheduler_heartbeat_total {grows}",
    "airflow_dag_processor_heartbeat_total {grows}",
    "airflow_triggerer_heartbeat_total {grows}",
    'airflow_ti_finish_total{{dag_id="retrain",task_id="distill",state="success"}} {grows}',
    'airflow_task_queued_duration_milliseconds_sum{{dag_id="retrain",task_id="distill"}} {grows}',
    'airflow_task_queued_duration_milliseconds_count{{dag_id="retrain",task_id="distill"}} {grows}',
    "airflow_dag_processing_import_errors 0",
    "airflow_scheduler_tasks_starving 0",
    'kube_pod_status_phase{{namespace="stormsight",pod="distill-1",phase="Running"}} 1',
    'kube_resourcequota{{namespace="stormsight",resource="requests.cpu",type="used"}} 4',
    'kube_resourcequota{{namespace="stormsight",resource="requests.cpu",type="hard"}} 16',
    'kube_pod_container_status_restarts_total{{{services},pod="mlflow-0",container="mlflow"}} 1',
    'kube_deployment_spec_replicas{{{services},deployment="stormsight-mlflow"}} 1',
    'kube_deployment_status_replicas_available{{{services},deployment="stormsight-mlflow"}} 1',
    'kube_statefulset_replicas{{{services},statefulset="stormsight-postgres"}} 1',
    'kube_statefulset_status_replicas_ready{{{services},statefulset="stormsight-postgres"}} 1',
    'DCGM_FI_DEV_GPU_UTIL{{gpu="0",Hostname="node",namespace="stormsight",pod="distill-1"}} 90',
    'DCGM_FI_DEV_FB_USED{{gpu="0",Hostname="node"}} 30000',
    'DCGM_FI_DEV_FB_FREE{{gpu="0",Hostname="node"}} 50000',
    'DCGM_FI_DEV_GPU_TEMP{{gpu="0",Hostname="node"}} 61',
    'DCGM_FI_DEV_POWER_USAGE{{gpu="0",Hostname="node"}} 320',
    'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",Hostname="node"}} {grows}',
    'DCGM_FI_DEV_XID_ERRORS{{gpu="0",Hostname="node"}} 0',
)
"""Lines of other programs, where ``{grows}`` is a counter."""

_SERVICES = 'namespace="stormsight-services"'


class Installation:
    """State of an installation, as a collector of ``prometheus_client``.

    Attributes:
        failing: Failure class by which the newest training ended; None if it succeeded.
        position: Position of the next set.
        taken_over: Number of claims that another run held until it fell silent.
    """

    def __init__(self, registry: Mapping[str, dict[str, Any]]) -> None:
        self._registry = registry
        self._started = time.time()
        self.failing: str | None = None
        self.position = "trained"
        self.taken_over = 0

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the registry."""
        for name, said in self._registry.items():
            if said["type"] == "histogram":
                yield self._histogram(name, said)
            elif said["type"] == "counter":
                yield self._counter(name, said)
            else:
                yield self._gauge(name, said)

    def others(self) -> str:
        """Return the metrics of other programs as lines of Prometheus' text format."""
        return "".join(line.format(grows=self._grown, services=_SERVICES) + "\n" for line in _OTHERS)

    @property
    def _grown(self) -> float:
        return 100 + GROWTH * (time.time() - self._started)

    def _counter(self, name: str, said: dict[str, Any]) -> Metric:
        family = CounterMetricFamily(name, said["help"], labels=said["labels"])
        for labels in _combinations(said["labels"]):
            family.add_metric(labels, self._grown)
        if name == "stormsight_run_failures_total" and self.failing is not None:
            family.add_metric([self.failing, "evaluate"], 1)
        return family

    def _gauge(self, name: str, said: dict[str, Any]) -> Metric:
        family = GaugeMetricFamily(name, said["help"], labels=said["labels"])
        if name == "stormsight_run_failing":
            if self.failing is not None:
                family.add_metric([self.failing, "evaluate"], 1)
            return family
        for labels in _combinations(said["labels"]):
            family.add_metric(labels, self._value(name, labels))
        return family

    def _value(self, name: str, labels: tuple[str, ...]) -> float:
        if name == "stormsight_set_position":
            return float(labels == (self.position,))
        if name == "stormsight_claims_taken_over":
            return float(self.taken_over)
        if name.endswith("_timestamp_seconds"):
            return time.time() - 60
        return GAUGES.get(name, 1.0)

    def _histogram(self, name: str, said: dict[str, Any]) -> Metric:
        family = HistogramMetricFamily(name, said["help"], labels=said["labels"])
        bounds = [*(str(float(bound)) for bound in said["buckets"]), "+Inf"]
        for labels in _combinations(said["labels"]):
            family.add_metric(labels, [(bound, self._grown) for bound in bounds], sum_value=self._grown)
        return family


def _combinations(names: list[str]) -> Iterator[tuple[str, ...]]:
    return itertools.product(*(LABELS[name] for name in names))
