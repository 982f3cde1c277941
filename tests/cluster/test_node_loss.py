"""A node that is gone: its pods stay ``Running`` for Kubernetes, and must not for Airflow.

Opt-in (``STORMSIGHT_LAB_NODE_LOSS=1``): it kills the lab's second node, with everybody's
pods there, and takes two minutes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.airflow_server import Airflow
from tests.cluster.environment import Cluster, Namespace, command
from tests.cluster.failure_reading import OURS, Shown, show
from tests.cluster.processes import wait_for

pytestmark = pytest.mark.skipif(
    not os.environ.get("STORMSIGHT_LAB_NODE_LOSS"), reason="STORMSIGHT_LAB_NODE_LOSS is not set"
)
DAG = "trial_node_loss"


def kill_node() -> None:
    home = Path(os.environ.get("CLUSTER_HOME", "/var/tmp/k8s-lab"))
    os.kill(int((home / "pid" / "node-lab-gpu").read_text().split()[0]), signal.SIGKILL)


@pytest.fixture(scope="module")
def shown(airflow: Airflow, cluster: Cluster, namespace: Namespace) -> Iterator[dict[str, Shown]]:
    airflow.wait_dags(DAG)
    airflow.client.pause(DAG, False)
    run = airflow.client.trigger(DAG)

    def both_run() -> bool:
        ours = [
            p for p in namespace.pods(OURS) if p.metadata.annotations["stormsight/stage"].startswith("node")
        ]
        return [pod.status.phase for pod in ours] == ["Running", "Running"]

    wait_for("both pods to run", both_run, timeout_s=120)
    kill_node()
    try:
        assert airflow.client.wait_run(DAG, run, timeout_s=400) == "failed"
        yield {
            str(task["task_id"]): show(airflow.client, DAG, run, task)
            for task in airflow.client.tasks(DAG, run)
        }
    finally:
        command([str(cluster.tools / "up")], timeout_s=300)
        airflow.client.pause(DAG)


@pytest.mark.parametrize("name", ["node_lost", "node_lost_sync"])
def test_a_lost_node_is_noticed_though_its_pod_never_ends(shown: dict[str, Shown], name: str) -> None:
    assert shown[name].exception == "NodeLost", shown[name].log
    assert "node lab-gpu does not answer any more" in shown[name].text
    assert shown[name].decision == "node_lost: it is not retried"
