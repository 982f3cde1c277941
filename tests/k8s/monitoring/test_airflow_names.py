"""What Airflow sends by OpenTelemetry has the kinds and units behind the names that the rules ask for.

Airflow's own logger of metrics sends to a receiver on loopback. No collector is at hand here, so the last
step, the collector's translation of names, is as declared.yaml states it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from airflow._shared.observability.metrics import otel_logger
from opentelemetry import metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from tests.k8s.monitoring.queries import DECLARED, of_airflow

SENT = (
    "scheduler_heartbeat",
    "ti.finish",
    "dag_processing.import_errors",
    "dag_processing.processes",
    "task.queued_duration",
)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Metric]]:
    """Metrics that arrive on loopback, by name; Airflow is told where."""
    found: dict[str, Metric] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = ExportMetricsServiceRequest.FromString(body)
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    found.update({metric.name: metric for metric in scope.metrics})
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "3600000")
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def kind_of(metric: Metric) -> str:
    """Return the kind as Airflow's registry and declared.yaml name it."""
    if metric.HasField("sum"):
        return "counter" if metric.sum.is_monotonic else "gauge"
    return "timer" if metric.HasField("exponential_histogram") else str(metric.WhichOneof("data"))


def test_airflow_sends_what_the_translation_expects(
    receiver: dict[str, Metric], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It registers itself for the end of the process, and for all that comes after this test.
    monkeypatch.setattr(otel_logger, "atexit_register_metrics_flush", lambda: None)
    monkeypatch.setattr("opentelemetry.metrics._internal._METER_PROVIDER", None)
    logger = otel_logger.get_otel_logger(prefix=DECLARED["airflow"]["prefix"])
    logger.incr("scheduler_heartbeat")
    logger.incr("ti.finish", tags={"dag_id": "retrain", "task_id": "distill", "state": "success"})
    logger.gauge("dag_processing.import_errors", 2)
    logger.incr("dag_processing.processes")
    logger.timing("task.queued_duration", 1500.0, tags={"dag_id": "retrain", "task_id": "distill"})
    provider = metrics.get_meter_provider()
    assert provider.force_flush()  # type: ignore[attr-defined]
    provider.shutdown()  # type: ignore[attr-defined]

    assert set(receiver) == {f"airflow.{name}" for name in SENT}
    known, said = of_airflow(), DECLARED["airflow"]
    for name, metric in receiver.items():
        kind = kind_of(metric)
        assert metric.unit == ("ms" if kind == "timer" else ""), "a unit is a suffix of the name"
        stem = re.sub(r"[^a-zA-Z0-9_]", said["separator"], name)
        assert {stem + suffix for suffix in said["suffixes"][kind]} <= known.keys()
