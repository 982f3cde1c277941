"""Series of an installation in a week without trouble, a sample every five minutes from 1970 on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

STEP_S = 300
HOUR = 3600
DAY = 24 * HOUR
STEPS = 7 * DAY // STEP_S + 1

Shape = Callable[[int], float | None]
"""Value at a time in seconds; None where there is no sample."""


def _daily(hour: float, amount: float = 1.0) -> Shape:
    """Return a counter that grows once a day."""
    return lambda t: amount * ((t - hour * HOUR) // DAY + 1)


def _last(hour: float) -> Shape:
    """Return the time at which something that happens once a day happened last; before 1970 at first."""
    return lambda t: ((t - hour * HOUR) // DAY) * DAY + hour * HOUR


def _between(start: float, end: float, inside: Shape, outside: Shape) -> Shape:
    """Return one shape between two hours of each day, another one at other times."""
    return lambda t: inside(t) if start * HOUR <= t % DAY < end * HOUR else outside(t)


def _constant(value: float) -> Shape:
    return lambda t: value


def _absent(t: int) -> None:
    """Return no sample."""


def _histogram(name: str, hour: float, bounds: Mapping[str, int], labels: str = "") -> dict[str, Shape]:
    """Return a histogram that gets an observation a day, in the buckets whose value is 1."""
    inner = f"{labels}, " if labels else ""
    shapes = {f'{name}_bucket{{{inner}le="{bound}"}}': _daily(hour, share) for bound, share in bounds.items()}
    return {**shapes, f"{name}_count{{{labels}}}": _daily(hour)}


_STAGE = 'stage="distill"'
_SCRAPED: dict[str, Shape] = {
    "stormsight_collect_last_timestamp_seconds": lambda t: t - 20,
    "stormsight_collect_duration_seconds": _constant(0.4),
    'stormsight_source_up{source="operations"}': _constant(1),
    # A read that fails now and then is no trouble.
    'stormsight_source_up{source="landing"}': _between(12, 12.1, _constant(0), _constant(1)),
    # Lands at 6:00, is registered at 6:10, trained from 6:15 to 11:00, decided at 11:05, mapped at 7:30.
    "stormsight_landing_waiting": _between(6, 6.2, _constant(1), _constant(0)),
    "stormsight_landing_oldest_timestamp_seconds": _between(6, 6.2, _last(6), _absent),
    "stormsight_deliveries_rejected": _constant(0),
    "stormsight_acquisition_last_timestamp_seconds": _last(6.2),
    "stormsight_claims_open": _between(6.25, 11, _constant(1), _constant(0)),
    "stormsight_claims_silent": _constant(0),
    "stormsight_claim_alive_timestamp_seconds": _between(6.25, 11, lambda t: t - 60, _absent),
    'stormsight_set_position{position="at_work"}': _between(6.25, 11, _constant(1), _constant(0)),
    'stormsight_set_position{position="trained"}': _between(6.25, 11, _constant(0), _constant(1)),
    'stormsight_set_position{position="spent"}': _constant(0),
    "stormsight_sets_barred": _constant(0),
    'stormsight_runs_total{outcome="succeeded"}': _daily(11),
    'stormsight_runs_total{outcome="failed"}': _constant(2),
    'stormsight_run_failures_total{failure_class="bad_data", stage="validate"}': _constant(2),
    # Two evictions a day, and one lost connection, each mended by the next attempt.
    f'stormsight_stage_failures_total{{failure_class="evicted", {_STAGE}}}': _daily(8, 2),
    f'stormsight_stage_failures_total{{failure_class="source_unavailable", {_STAGE}}}': _daily(9),
    **_histogram(
        "stormsight_stage_wait_seconds", 6.5, {"60.0": 0, "900.0": 1, "43200.0": 1, "+Inf": 1}, _STAGE
    ),
    "stormsight_tiles_validated": _constant(400),
    'stormsight_tiles_quarantined{rule="no_data"}': _daily(7, 3),
    'stormsight_drift_comparisons_total{outcome="same"}': _daily(11),
    'stormsight_retraining_requests_open{model="stormsight-sar"}': _constant(0),
    "stormsight_decision_last_timestamp_seconds": _last(11.1),
    'stormsight_approval_requested_timestamp_seconds{model="stormsight-sar"}': _between(
        11.1, 16, _last(11.1), _absent
    ),
    **_histogram("stormsight_landing_to_decision_seconds", 11.1, {"86400.0": 1, "+Inf": 1}),
    **_histogram("stormsight_landing_to_map_seconds", 7.5, {"21600.0": 1, "+Inf": 1}),
    'stormsight_ledger_verified{ledger="operations"}': _constant(1),
    'stormsight_ledger_entries{ledger="operations"}': _daily(6, 9),
    "stormsight_backup_last_timestamp_seconds": _last(2.3),
    "airflow_scheduler_heartbeat_total": lambda t: t / 5,
    "airflow_triggerer_heartbeat_total": lambda t: t / 5,
    "airflow_dag_processing_import_errors": _constant(0),
    "airflow_scheduler_tasks_starving": _between(6.2, 6.3, _constant(2), _constant(0)),
    "airflow_deadline_alerts_deadline_missed_total": _constant(1),
    'kube_deployment_spec_replicas{namespace="stormsight-services", deployment="mlflow"}': _constant(1),
    # A service is moved to another node once a day.
    'kube_deployment_status_replicas_available{namespace="stormsight-services", deployment="mlflow"}': (
        _between(3, 3.1, _constant(0), _constant(1))
    ),
    'kube_job_status_failed{namespace="stormsight-services", job_name="stormsight-backup-1"}': _constant(0),
    # A node has to come up for each training.
    'kube_pod_status_unschedulable{namespace="stormsight", pod="distill-1"}': _between(
        6.25, 6.4, _constant(1), _absent
    ),
    'kube_pod_status_reason{namespace="stormsight", pod="distill-0", reason="Evicted"}': _between(
        8, 9, _constant(1), _absent
    ),
    'DCGM_FI_DEV_GPU_UTIL{gpu="0", namespace="stormsight", pod="distill-1"}': _between(
        6.5, 11, _constant(91), _absent
    ),
    'DCGM_FI_DEV_XID_ERRORS{gpu="0", Hostname="node"}': _constant(0),
}


def series_of_a_healthy_week() -> list[dict[str, str]]:
    """Return the series as ``promtool`` takes them."""
    return [
        {"series": name.replace("{}", ""), "values": " ".join(map(_sample, _values(shape)))}
        for name, shape in _SCRAPED.items()
    ]


def _values(shape: Shape) -> list[float | None]:
    return [shape(step * STEP_S) for step in range(STEPS)]


def _sample(value: float | None) -> str:
    return "_" if value is None else f"{value:.10g}"
