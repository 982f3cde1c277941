"""The lab overlay on the API server: it is stored as sent, and the services start under its rules.

The lab is Kubernetes 1.20: it drops fields that it does not know without a message, so the stored
objects are compared with the sent ones.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.cluster import lab
from tests.cluster.endpoints import CREDENTIALS, S3
from tests.cluster.environment import Cluster, command
from tests.conftest import ROOT
from tests.k8s.manifests import Manifest, called, find, rendered
from tests.mlflow_server import PASSWORDS as ACCOUNTS

SPACE, SERVICES = "stormsight-manifests", "stormsight-manifests-services"
NAMES = {"stormsight": SPACE, "stormsight-services": SERVICES}
PASSWORDS = {f"{name}-password": f"lab-{name}" for name in ("postgres", "mlflow", "airflow")}
HOST = "stormsight-mlflow.stormsight-services:5000"

UNKNOWN_TO_1_20: set[str] = set()
"""Fields of the overlay that Kubernetes 1.20 drops."""


@pytest.fixture(scope="module")
def objects(cluster: Cluster) -> Iterator[list[Manifest]]:
    """The lab overlay in namespaces of its own, which exist and are empty."""
    moved = [lab.renamed(manifest, NAMES) for manifest in rendered("lab")]
    for name in NAMES.values():
        cluster.delete_namespace(name)
    cluster.wait_no_namespace(*NAMES.values())
    server_side(cluster, [manifest for manifest in moved if manifest["kind"] == "Namespace"])
    yield moved
    for name in NAMES.values():
        cluster.delete_namespace(name)


def server_side(cluster: Cluster, objects: list[Manifest], *words: str) -> list[Manifest]:
    """Apply on the server's side; what it has then, in the same order."""
    sent = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    arguments = ["apply", "--server-side", "--force-conflicts", "-o", "json", "-f", "-", *words]
    answer = json.loads(cluster.kubectl(*arguments, stdin=sent))
    answered: list[Manifest] = answer["items"] if answer["kind"] == "List" else [answer]
    assert len(answered) == len(objects)
    return answered


def dropped(sent: Any, stored: Any, path: str) -> Iterator[str]:
    """Paths of what was sent and is not stored."""
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        for key, value in sent.items():
            if key not in stored and value not in ({}, [], None):
                yield f"{path}.{key}"
            elif key in stored:
                yield from dropped(value, stored[key], f"{path}.{key}")
    elif isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        for one, other in zip(sent, stored, strict=True):
            yield from dropped(one, other, path)
    elif str(sent) != str(stored):
        yield path


@pytest.mark.parametrize("words", [("--dry-run=server",), ()], ids=["dry run", "for real"])
def test_the_api_server_takes_the_overlay(
    cluster: Cluster, objects: list[Manifest], words: tuple[str, ...]
) -> None:
    stored = {called(manifest): manifest for manifest in server_side(cluster, objects, *words)}
    lost = {path for sent in objects for path in dropped(sent, stored[called(sent)], sent["kind"])}
    assert lost == UNKNOWN_TO_1_20


@pytest.fixture(scope="module")
def postgres(cluster: Cluster, objects: list[Manifest], folder: Path) -> Iterator[str]:
    """The StatefulSet, started on a static volume; the address of its pod."""
    command([str(ROOT / "k8s/overlays/lab/postgres/build"), str(cluster.tools)], timeout_s=900)
    data = folder / "manifests-postgres"
    data.mkdir()
    shutil.chown(data, 999, 999)
    volume = f"{SPACE}-postgres"
    claim = {"namespace": SERVICES, "name": "data-stormsight-postgres-0"}
    spec = {"capacity": {"storage": "20Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": claim}
    spec |= {"hostPath": {"path": str(data)}, "persistentVolumeReclaimPolicy": "Retain"}
    cluster.kubectl("delete", "pv", volume, "--ignore-not-found")
    cluster.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": spec},
        lab.secret(SERVICES, "stormsight-postgres", PASSWORDS),
    )
    server_side(cluster, objects)
    cluster.kubectl("-n", SERVICES, "scale", "statefulset/stormsight-postgres", "--replicas=1")
    yield cluster.wait_ready(SERVICES, "postgres")
    cluster.kubectl("-n", SERVICES, "scale", "statefulset/stormsight-postgres", "--replicas=0")
    cluster.kubectl("delete", "pv", volume, "--wait=false")


def connect(address: str, user: str, database: str) -> psycopg.Connection[Any]:
    password = PASSWORDS[f"{user}-password"]
    return psycopg.connect(host=address, user=user, dbname=database, password=password, connect_timeout=10)


def test_postgresql_starts_restricted_with_a_database_for_each_service(postgres: str) -> None:
    for user in ("mlflow", "airflow"):
        with connect(postgres, user, user) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE probe (n int)")
            cursor.execute("DROP TABLE probe")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        connect(postgres, "mlflow", "airflow")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(host=postgres, user="mlflow", dbname="mlflow", password="wrong")


def test_a_database_can_be_saved_as_the_guide_says(cluster: Cluster, postgres: str) -> None:
    del postgres
    words = ["exec", "stormsight-postgres-0", "--", "pg_dump", "--username", "postgres", "airflow"]
    assert "PostgreSQL database dump complete" in cluster.kubectl("-n", SERVICES, *words)


@pytest.fixture(scope="module")
def mlflow(cluster: Cluster, objects: list[Manifest], postgres: str, code: Path, s3: S3) -> str:
    """The Deployment, started; its pod runs the lab's image and finds PostgreSQL without DNS."""
    store = {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": s3.pods}
    cluster.apply(
        lab.secret(SERVICES, "stormsight-mlflow-s3", store),
        lab.secret(SERVICES, "stormsight-mlflow-accounts", {**ACCOUNTS, "csrf-key": "lab"}),
    )
    deployment = find(objects, "Deployment", "stormsight-mlflow")
    deployment["spec"]["replicas"] = 1
    pod = lab.with_mounted_code(deployment, code)["spec"]["template"]["spec"]
    pod["hostAliases"] = [{"ip": postgres, "hostnames": ["stormsight-postgres"]}]
    server_side(cluster, [deployment])
    return cluster.wait_ready(SERVICES, "mlflow")


def call(
    address: str, path: str, body: Mapping[str, str] | None = None, host: str = HOST, account: str = "ledger"
) -> Any:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{address}:5000{path}", content)
    known = f"{account}:{ACCOUNTS.get(account)}".encode()
    request.add_header("Authorization", f"Basic {base64.b64encode(known).decode()}")
    request.add_header("Content-Type", "application/json")
    request.add_header("Host", host)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())


def test_mlflow_starts_restricted_on_postgresql_and_s3(mlflow: str, postgres: str) -> None:
    made = call(mlflow, "/api/2.0/mlflow/experiments/create", {"name": "stormsight"})
    path = f"/api/2.0/mlflow/experiments/get?experiment_id={made['experiment_id']}"
    assert call(mlflow, path)["experiment"]["artifact_location"].startswith("s3://stormsight/mlflow/")
    with connect(postgres, "mlflow", "mlflow") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM experiments ORDER BY name")
        assert ("stormsight",) in cursor.fetchall()
    with pytest.raises(urllib.error.HTTPError, match="403"):
        call(mlflow, path, host="attacker.example.com")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        call(mlflow, path, account="data")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        call(mlflow, "/api/2.0/mlflow/registered-models/create", {"name": "mine"}, account="train")


def test_mlflows_tables_can_be_upgraded_as_the_guide_says(cluster: Cluster, mlflow: str) -> None:
    del mlflow
    upgrade = 'python -m mlflow db upgrade "$MLFLOW_BACKEND_STORE_URI"'
    cluster.kubectl("-n", SERVICES, "exec", "deployment/stormsight-mlflow", "--", "sh", "-c", upgrade)


@pytest.fixture(scope="module")
def untouched(settings_file: Path, folder: Path) -> Path:
    """The deployment's settings with stores that the pipeline's own tests do not use."""
    settings = yaml.safe_load(settings_file.read_text())
    settings["environment"]["MLFLOW_TRACKING_URI"] = "sqlite:////work/mlflow.db"
    apart = {"objects": f"s3://{lab.BUCKET}/untouched", "landing": f"s3://{lab.LANDING_BUCKET}/untouched"}
    return lab.write_deployment(folder / "untouched.yaml", {**settings, **apart})


@pytest.mark.parametrize(
    ("words", "status", "output"),
    [
        (["python", "-m", "components.housekeeping", "verify"], 0, "ok    ledger/operations"),
        (["python", "-m", "components.acquisitions", "list"], 0, "no acquisition has landed"),
        (
            ["python", "-m", "components.acquisitions", "withdraw", "nowhere", "--reason", "x"],
            66,
            "not registered",
        ),
    ],
)
def test_an_operators_command_runs_as_a_stage_does(
    cluster: Cluster, untouched: Path, words: list[str], status: int, output: str
) -> None:
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    done = subprocess.run(
        [sys.executable, str(ROOT / "k8s/command.py"), str(untouched), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, output in done.stdout) == (status, True), done.stdout + done.stderr
