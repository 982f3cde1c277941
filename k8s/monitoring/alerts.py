"""Render one alert for each failure class, and all rules as an object of Prometheus' operator.

    .venv/bin/python k8s/monitoring/alerts.py            # writes rules/failures.yaml, operator/rules.yaml

The classes, their severities and next steps are those of ``components/contract/failures.py``. The fact behind
most alerts is the gauge ``stormsight_run_failing``: it stands while the newest training ended by the class,
so a training that succeeds ends the alert, not time. Some classes have a second witness in the cluster.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from components.contract.failures import FAILURE_CLASSES, FailureKind  # noqa: E402

FOLDER = ROOT / "k8s/monitoring"

WITHOUT = frozenset({FailureKind.NOTHING_TO_DO, FailureKind.CLUSTER})
"""Classes without an alert: an ordinary end, and one that leaves neither a record nor a second witness. A
training that does not survive a Kubernetes API that is down is recorded as ``infrastructure``."""

SPENT = 'max(stormsight_set_position{position="spent"}) == 1'

OF_THE_LEDGER = {
    FailureKind.REDRIVES_SPENT: SPENT,
    FailureKind.CLAIM_LOST: "max(stormsight_claims_taken_over) > 0",
}
"""Queries of classes that no training ends by: the position of the next set, claims that changed hands."""

HOLDS = "(max({series}) == 1 and count_over_time((max({series}) == 1)[{minutes}m:1m]) > {most})"
"""Query of a state of a pod that lasts: seen now and in most minutes of a window."""

WITNESSES = {
    FailureKind.EVICTED: 'sum(kube_pod_status_reason{namespace="stormsight", reason="Evicted"}) > 2',
    FailureKind.NODE_LOST: 'sum(kube_pod_status_reason{namespace="stormsight", reason="NodeLost"}) > 0',
    FailureKind.IMAGE_PULL: HOLDS.format(
        series='kube_pod_container_status_waiting_reason{namespace="stormsight", '
        'reason=~"ErrImagePull|ImagePullBackOff"}',
        minutes=10,
        most=8,
    ),
    FailureKind.UNSCHEDULABLE: HOLDS.format(
        series='kube_pod_status_unschedulable{namespace="stormsight"}', minutes=30, most=25
    ),
    FailureKind.OUT_OF_MEMORY: 'sum(kube_pod_container_status_terminated_reason{namespace="stormsight", '
    'reason="OOMKilled"}) > 0',
    FailureKind.STARTUP: HOLDS.format(
        series='kube_pod_container_status_waiting_reason{namespace="stormsight", '
        'reason=~"CreateContainerConfigError|CreateContainerError|RunContainerError|CrashLoopBackOff"}',
        minutes=10,
        most=8,
    ),
}
"""Queries of kube-state-metrics by class: pods that leave no record tell nobody else."""

HEAD = "# Rendered by k8s/monitoring/alerts.py from {source}. Do not edit.\n"


def main() -> int:
    """Write both files."""
    (FOLDER / "rules/failures.yaml").write_text(failures())
    (FOLDER / "operator/rules.yaml").write_text(operator_rules())
    return 0


def alert_of(kind: FailureKind) -> str | None:
    """Return the name of the alert of a failure class; None for one without."""
    if kind in WITHOUT:
        return None
    return "StormsightFailed" + "".join(word.capitalize() for word in kind.name.split("_"))


def failures() -> str:
    """Return the rule file with one alert for each failure class."""
    rules = [rule_of(kind) for kind in FAILURE_CLASSES if kind not in WITHOUT]
    groups = [{"name": "stormsight-failures", "rules": rules}]
    return HEAD.format(source="components/contract/failures.py") + _dump({"groups": groups})


def rule_of(kind: FailureKind) -> dict[str, Any]:
    """Return the alert of one failure class as a rule of Prometheus."""
    row, anchor = FAILURE_CLASSES[kind], kind.name.lower().replace("_", "-")
    return {
        "alert": alert_of(kind),
        "expr": expression_of(kind),
        "labels": {"severity": str(row.severity), "failure_class": str(kind)},
        "annotations": {
            "summary": f"Training failed{{{{ with $labels.stage }}}} in {{{{ . }}}}{{{{ end }}}}: {kind}",
            "description": f"{row.next_step[0].upper()}{row.next_step[1:]}.",
            "runbook": f"docs/operate/on-call.md#failed-{anchor}",
            "dashboard": "/d/stormsight-pipeline",
        },
    }


def expression_of(kind: FailureKind) -> str:
    """Return the query of a failure class.

    A set whose redrives are spent has an alert of its own, in place of that of its last failure.
    """
    if kind in OF_THE_LEDGER:
        return OF_THE_LEDGER[kind]
    failing = (
        f'max by (stage) (stormsight_run_failing{{failure_class="{kind}"}}) == 1\n  unless on () ({SPENT})'
    )
    witness = WITNESSES.get(kind)
    return f"({failing})\nor on ()\n{witness}" if witness else failing


def operator_rules() -> str:
    """Return all rules as one object of Prometheus' operator; its schema for groups is that of the files."""
    groups = [
        group
        for path in sorted((FOLDER / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    ]
    document = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "stormsight", "namespace": "stormsight-services"},
        "spec": {"groups": groups},
    }
    return HEAD.format(source="k8s/monitoring/rules") + _dump(document)


class _Dumper(yaml.SafeDumper):
    """YAML with texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _dump(document: dict[str, Any]) -> str:
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    sys.exit(main())
