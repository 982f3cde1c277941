"""Settings of an installation with everything in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stormsight_dags.settings.model import Kubernetes, Orchestration, Settings

ORCHESTRATION: dict[str, Any] = {
    "retrain_schedule": None,
    "map_schedule": None,
    "map_groups": 2,
    "map_pod": {"cpu": 1, "memory": "1Gi", "gpu": 0},
    "landing_poll_s": 1,
    "landing_bad_looks": 3,
    "redrive_schedule": None,
    "redrives": {"other": 1},
    "deadline_h": 1,
    "pod_limit_h": 2,
    "stall_min": None,
    "lease_h": 1,
    "abandoned_h": 1,
    "keep_runs": 1,
    "keep_gb": None,
    "keep_cache_days": 1,
    "keep_deliveries_days": 2,
    "orphan_pod_h": 1,
    "infrastructure_retries": {"evicted": 2, "node_lost": 1},
    "retries": {"train": {"source_unavailable": 1, "deadline": 1}, "gate": {}},
    "retry_delay_s": 60,
}

KUBERNETES: dict[str, Any] = {
    "images": {"data": "registry/data@sha256:0", "train": "registry/train@sha256:1"},
    "secrets": {
        "data": ["stormsight-s3-data"],
        "train": ["stormsight-s3-train"],
        "ledger": ["stormsight-s3-ledger"],
    },
    "max_cpu": 0.5,
    "max_memory": "8Gi",
    "gpu": {
        "node_selector": {"accelerator": "h200"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "runtime_class": "nvidia",
    },
    "priority_classes": {"data": "stormsight-data", "train": "stormsight-train"},
    "volumes": [{"name": "code", "hostPath": {"path": "/srv/code"}}],
    "volume_mounts": [{"name": "code", "mountPath": "/app", "readOnly": True}],
    "env": {"DVC_NO_ANALYTICS": "true"},
    "host_aliases": [{"ip": "10.245.0.1", "hostnames": ["s3.lab"]}],
}


def settings(environment: dict[str, str] | None = None, **cluster: Any) -> Settings:
    return Settings(
        mode="kubernetes",
        profile="smoke",
        objects="s3://stormsight/pipeline",
        landing="s3://stormsight-landing/",
        remote="s3://stormsight/dvc",
        environment=environment or {"AWS_ENDPOINT_URL_S3": "http://s3.lab:9000"},
        kubernetes=Kubernetes.model_validate({**KUBERNETES, **cluster}),
        orchestration=Orchestration(**ORCHESTRATION),
        source=Path(),
    )
