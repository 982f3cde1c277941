"""The exporter of the lab overlay tells of the first retraining, from the store that its pods wrote."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.exporter.__main__ import PORT
from components.exporter.reading import COLLECTORS
from tests.cluster import lab
from tests.cluster.endpoints import CREDENTIALS, S3
from tests.cluster.environment import Namespace
from tests.cluster.pipeline import Pipeline
from tests.cluster.scenarios import Retraining
from tests.exporter.reading import Values, parsed
from tests.k8s.manifests import find, rendered


@pytest.fixture(scope="module")
def exporter(namespace: Namespace, code: Path, s3: S3) -> Iterator[str]:
    """The Deployment, started beside the pipeline's namespace; the address of its pod."""
    cluster, services = namespace.cluster, namespace.services
    names = {"stormsight": namespace.name, "stormsight-services": services}
    deployment = lab.renamed(find(rendered("lab"), "Deployment", "stormsight-exporter"), names)
    store = {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": s3.pods}
    cluster.apply(
        lab.secret(services, "stormsight-exporter-s3", store), lab.with_mounted_code(deployment, code)
    )
    yield cluster.wait_ready(services, "exporter")
    cluster.kubectl("-n", services, "delete", "deployment/stormsight-exporter", "--wait=false")


@pytest.fixture(scope="module")
def values(first: Retraining, exporter: str) -> Values:
    """Metrics of a scrape after the first retraining."""
    del first
    with urllib.request.urlopen(f"http://{exporter}:{PORT}/metrics", timeout=60) as response:
        return parsed(response.read().decode())


def test_a_pod_with_the_exporters_account_reads_every_source(values: Values) -> None:
    up = {source: values[f'stormsight_source_up{{source="{source}"}}'] for source, _ in COLLECTORS}
    assert up == dict.fromkeys(up, 1)
    assert values['stormsight_ledger_verified{ledger="operations"}'] == 1
    assert values["stormsight_records_unreadable"] == 0


def test_it_tells_of_the_retraining_that_other_pods_ran(
    values: Values, first: Retraining, pipeline: Pipeline
) -> None:
    assert values['stormsight_runs_total{outcome="succeeded"}'] == len(pipeline.events("succeeded"))
    assert values["stormsight_landing_to_decision_seconds_count"] >= 1
    tasks = (task.removeprefix("pipeline.") for task in first.states if task.startswith("pipeline."))
    stages = {task.partition(".")[0] for task in tasks}
    counted = {name.partition('stage="')[2].partition('"')[0] for name in values if "_stages_total" in name}
    assert stages <= counted
    assert values['stormsight_promotion_last_timestamp_seconds{model="stormsight-sar"}'] > 0
