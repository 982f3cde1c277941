"""A real Airflow on this machine: api-server, scheduler, triggerer, dag-processor, and their database."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.airflow_client import AirflowClient
from tests.cluster.database import start_database
from tests.cluster.endpoints import base_environment
from tests.cluster.processes import LabError, Server, free_port, wait_for

COMPONENTS = {
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}
"""Airflow's processes beside the API server, with their arguments."""

IMPORTED_EARLY = '''\
"""Every process of Airflow reads this file; tasks and parsers of DAGs are forks of such processes."""

import airflow.providers.cncf.kubernetes.operators.pod

__all__ = ()  # nothing of it is a setting
'''
"""``airflow_local_settings.py``: imports (one second of processor time) that each task would repeat."""


@dataclass
class Airflow:
    """The running Airflow.

    Attributes:
        client: Its REST API.
        home: AIRFLOW_HOME.
        servers: Its processes by name.
    """

    client: AirflowClient
    home: Path
    servers: dict[str, Server] = field(default_factory=dict)

    def kill(self, name: str) -> None:
        """End a component and its children at once, as a lost machine would."""
        self.servers[name].kill()

    def restart(self, name: str) -> None:
        """Start a component again."""
        self.servers[name].start()

    def wait_dags(self, *dag_ids: str, timeout_s: float = 90) -> None:
        """Wait until DAGs are known.

        Raises:
            LabError: If they do not appear; the text is why a file could not be imported.
        """

        def known() -> bool:
            missing = set(dag_ids) - self.client.dag_ids()
            errors = self.client.import_errors() if missing else {}
            if errors:
                raise LabError("\n".join(f"{name}:\n{trace}" for name, trace in errors.items()))
            return not missing

        wait_for(f"DAGs {', '.join(dag_ids)}", known, timeout_s=timeout_s, note=f"logs: {self.home}")

    def stop(self) -> None:
        """End everything, side by side."""
        order = [server for name, server in self.servers.items() if name != "postgres"]
        threads = [threading.Thread(target=server.stop) for server in order]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if "postgres" in self.servers:
            self.servers["postgres"].kill()


def settings(home: Path, database: str, port: int, bundles: Mapping[str, Path]) -> dict[str, str]:
    """Airflow's configuration as environment variables: quick to notice, slow to reparse, no examples."""
    url = f"http://127.0.0.1:{port}"
    bundle = "airflow.dag_processing.bundles.local.LocalDagBundle"
    listed = [{"name": n, "classpath": bundle, "kwargs": {"path": str(p)}} for n, p in bundles.items()]
    values = {
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(next(iter(bundles.values()))),
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "12",
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__FERNET_KEY": "",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "DATABASE__SQL_ALCHEMY_CONN": database,
        "API__PORT": str(port),
        "API__HOST": "127.0.0.1",
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.token_hex(16),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(listed),
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "900",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
        "SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        # A supervisor may notice the end of its task only at its next heartbeat. Later than the trigger's
        # event, it makes the scheduler count a deferred task as failed (and each task takes longer).
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A task whose supervisor died with the scheduler is noticed in seconds instead of minutes.
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
        "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
        "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "15",
    }
    return {
        "AIRFLOW_HOME": str(home),
        **{f"AIRFLOW__{name}": value for name, value in values.items()},
    }


def start_airflow(folder: Path, bundles: Mapping[str, Path], environment: Mapping[str, str]) -> Airflow:
    """Start Airflow with its home below ``folder``.

    Args:
        folder: Readable by everybody; PostgreSQL runs as another user.
        bundles: DAG folders by bundle name.
        environment: What its processes need besides: the settings file, the restricted kubeconfig.

    Raises:
        LabError: If a part does not come up.
    """
    home = folder / "airflow"
    home.mkdir()
    postgres, database = start_database(folder)
    port = free_port()
    variables = {**base_environment(), **settings(home, database, port, bundles), **environment}
    airflow = Airflow(AirflowClient(f"http://127.0.0.1:{port}"), home)
    if postgres is not None:
        airflow.servers["postgres"] = postgres
    try:
        _start_components(airflow, variables, port)
    except BaseException:
        airflow.stop()
        raise
    return airflow


def _start_components(airflow: Airflow, variables: dict[str, str], port: int) -> None:
    program = [sys.executable, "-m", "airflow"]
    log = airflow.home / "migrate.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [*program, "db", "migrate"], env=variables, stdout=output, stderr=output, check=False
        )
    if done.returncode:
        raise LabError(f"airflow db migrate failed:\n{log.read_text()[-3000:]}")
    (airflow.home / "config").mkdir(exist_ok=True)
    (airflow.home / "config" / "airflow_local_settings.py").write_text(IMPORTED_EARLY)
    arguments = {"api-server": ["api-server", "--port", str(port), "--workers", "1"], **COMPONENTS}
    for name, command in arguments.items():
        server = Server(f"airflow {name}", [*program, *command], variables, airflow.home / f"{name}.log")
        airflow.servers[name] = server
        server.start()
    wait_for("Airflow to be healthy", lambda: _healthy(airflow), timeout_s=180, note=f"logs: {airflow.home}")


def _healthy(airflow: Airflow) -> bool:
    for server in airflow.servers.values():
        if not server.alive:
            raise LabError(f"{server.name} ended while starting:\n{server.tail()}")
    return airflow.client.healthy()
