"""Fixtures of the lab, made once for all tests of this folder: a namespace, an S3 endpoint, MLflow, Airflow.

All files lie below one folder, which is removed when all tests passed; it stays, named in the summary, when
one failed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import lab
from tests.cluster.airflow_server import Airflow, start_airflow
from tests.cluster.endpoints import CREDENTIALS, S3, Endpoint, answers, start_mlflow, start_s3
from tests.cluster.environment import Cluster, Namespace, NoClusterError, find_cluster
from tests.cluster.pipeline import Pipeline, edit_params, small_and_impatient
from tests.cluster.podlog import PodLog
from tests.cluster.processes import PATIENCE, Server
from tests.cluster.scenarios import (
    Retraining,
    Started,
    disturbed_retraining,
    end_of,
    start_first_retraining,
)
from tests.cluster.undisturbed import Undisturbed

FOLDER = pytest.StashKey[Path]()
MEASURED = pytest.StashKey[list[str]]()

BESIDE_FIRST = ("test_manifests.py", "test_service_accounts.py")
"""Modules that neither use the first retraining nor disturb it: they run while it goes on."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.cluster)
            if "disturbed" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.chaos)
            # The first test that asks for a fixture waits for it: for a whole retraining, at worst.
            item.add_marker(pytest.mark.timeout(int(3600 * PATIENCE)))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """Return the turn of a test; no test depends on it, but all together wait less.

    The first retraining is started as soon as a bare pod has shown that the lab works.
    """
    if item.path.name == "test_bare_pod.py":
        return 0
    names = getattr(item, "fixturenames", ())
    if "first_started" in names and "first" not in names:
        return 1
    return 2 if item.path.name in BESIDE_FIRST else 3


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster behind KUBECONFIG, with its administrator's rights; tests skip where there is none."""
    try:
        found = find_cluster()
        lab.site_packages()
    except NoClusterError as reason:
        pytest.skip(f"no cluster to test on: {reason}")
    lab.build_image(found)
    return found


@pytest.fixture(scope="session")
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Folder of the lab's files and logs, readable by the users of pods and of PostgreSQL."""
    made = Path(tempfile.mkdtemp(prefix="stormsight-lab-", dir="/var/tmp"))
    made.chmod(0o755)
    request.config.stash[FOLDER] = made
    yield made
    if not request.session.testsfailed and not os.environ.get("STORMSIGHT_LAB_KEEP"):
        shutil.rmtree(made, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(MEASURED, []):
        terminalreporter.write_line(line)
    made = config.stash.get(FOLDER, None)
    if made is not None and made.exists():
        terminalreporter.write_line(f"the lab's logs and files are kept in {made}")


@pytest.fixture(scope="session")
def code(cluster: Cluster, folder: Path) -> Path:
    """The repository as pods and Airflow see it: a copy that does not change under a running test."""
    del cluster
    made = folder / "code"
    made.mkdir()
    lab.open_to_pods(lab.site_packages())
    lab.snapshot(made)
    edit_params(made, small_and_impatient)
    return made


@pytest.fixture(scope="session")
def namespace(cluster: Cluster, folder: Path) -> Iterator[Namespace]:
    """A namespace from nothing, with the deployment's accounts, and the orchestrator's kubeconfig."""
    made = lab.make_namespace(cluster, os.environ.get("STORMSIGHT_LAB_NAMESPACE", "stormsight-test"), folder)
    yield made
    for name in (made.name, made.services):
        cluster.delete_namespace(name)


@pytest.fixture(scope="session")
def s3(cluster: Cluster, folder: Path) -> Iterator[S3]:
    """A real S3 endpoint that pods reach, with the deployment's buckets."""
    server, endpoint = start_s3(folder, cluster.host)
    for bucket in (lab.BUCKET, lab.LANDING_BUCKET):
        endpoint.bucket(bucket)
    yield endpoint
    server.stop()


@pytest.fixture(scope="session")
def mlflow_starting(cluster: Cluster, folder: Path) -> Iterator[tuple[Server, Endpoint]]:
    """The MLflow server before it answers: it takes a while, in which Airflow can start."""
    server, endpoint = start_mlflow(folder, cluster.host, folder / "artefacts")
    yield server, endpoint
    server.stop()


@pytest.fixture(scope="session")
def mlflow_server(mlflow_starting: tuple[Server, Endpoint]) -> Endpoint:
    """A real MLflow server that pods reach."""
    server, endpoint = mlflow_starting
    server.wait_ready(lambda: answers(f"{endpoint.local}/health"))
    return endpoint


@pytest.fixture(scope="session")
def settings_file(
    namespace: Namespace, code: Path, folder: Path, s3: S3, mlflow_starting: tuple[Server, Endpoint]
) -> Path:
    """The deployment's settings for the lab."""
    content = lab.deployment(namespace, code, s3, mlflow_starting[1])
    return lab.write_deployment(folder / "deployment.yaml", content)


@pytest.fixture(scope="session")
def airflow(code: Path, folder: Path, namespace: Namespace, settings_file: Path) -> Iterator[Airflow]:
    """A real Airflow with the deployment's DAGs and those of ``trial_dags``; all DAGs start paused."""
    bundles = {"stormsight": code / "dags", "trials": code / "tests" / "cluster" / "trial_dags"}
    environment = {
        **CREDENTIALS,
        "KUBECONFIG": str(namespace.kubeconfig),
        "STORMSIGHT_DEPLOYMENT": str(settings_file),
        "PYTHONPATH": f"{code}{os.pathsep}{code / 'dags'}",
    }
    running = start_airflow(folder, bundles, environment)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> list[str]:
    """Lines for the end of the test report: what was measured."""
    lines: list[str] = []
    request.config.stash[MEASURED] = lines
    return lines


@pytest.fixture(scope="session")
def pod_log(namespace: Namespace) -> Iterator[PodLog]:
    """Every pod of the namespace from now on, deleted ones too."""
    log = PodLog(namespace)
    log.start()
    yield log
    log.stop()


@pytest.fixture(scope="session")
def pipeline(
    airflow: Airflow, s3: S3, mlflow_server: Endpoint, pod_log: PodLog, code: Path
) -> Iterator[Pipeline]:
    """The deployed DAGs, not paused."""
    del mlflow_server
    airflow.wait_dags("acquisitions", "retrain")
    for dag_id in ("retrain", "acquisitions"):
        airflow.client.pause(dag_id, False)
    yield Pipeline(airflow, s3, pod_log, code)
    for dag_id in ("acquisitions", "retrain"):
        airflow.client.pause(dag_id)


@pytest.fixture(scope="session")
def first_started(pipeline: Pipeline) -> Started:
    """The first retraining, from the landing of an acquisition to its claim; it goes on by itself."""
    return start_first_retraining(pipeline)


@pytest.fixture(scope="session")
def first(first_started: Started, pipeline: Pipeline) -> Retraining:
    """The first retraining: from the landing of an acquisition to the decision."""
    return end_of(pipeline, first_started)


@pytest.fixture(scope="session")
def disturbed_and_peer(first: Retraining, pipeline: Pipeline, folder: Path) -> tuple[Retraining, Undisturbed]:
    """The second retraining, and the training that is evicted in it once more, undisturbed."""
    del first
    return disturbed_retraining(pipeline, folder / "undisturbed")


@pytest.fixture(scope="session")
def disturbed(disturbed_and_peer: tuple[Retraining, Undisturbed]) -> Retraining:
    """The second retraining: a lost event, a doubled one, killed components, an eviction, a refusal."""
    return disturbed_and_peer[0]


@pytest.fixture(scope="session")
def peer(disturbed_and_peer: tuple[Retraining, Undisturbed]) -> Undisturbed:
    """The evicted training, run undisturbed."""
    return disturbed_and_peer[1]


@pytest.fixture(scope="session")
def bare_pod_s(airflow: Airflow) -> float:
    """Seconds that Airflow needs for a pod that does nothing, as the plain operator runs it."""
    airflow.wait_dags("trial_bare_pod")
    airflow.client.pause("trial_bare_pod", False)
    run = airflow.client.trigger("trial_bare_pod")
    assert airflow.client.wait_run("trial_bare_pod", run) == "success"
    return float(airflow.client.task("trial_bare_pod", run, "bare")["duration"])
