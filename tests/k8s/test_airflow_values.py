"""The values for the Airflow chart: closed, bounded, without secrets, in step with the manifests.

The chart itself is not at hand here; its keys were read in its values.yaml and templates (README).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.cli import cli_parser
from airflow.utils.db_cleanup import config_dict

from components.contract.redaction import names_a_secret
from tests.k8s.manifests import OVERLAYS, ROOT, kubectl, rendered
from tests.k8s.policies import URL_WITH_PASSWORD

VALUES: dict[str, Any] = yaml.safe_load((ROOT / "k8s/airflow/values.yaml").read_text())
SERVICES = (
    "scheduler",
    "triggerer",
    "dagProcessor",
    "apiServer",
    "migrateDatabaseJob",
    "databaseCleanup",
)
NAMES_A_SECRET = ("SecretName", "secretName", "passwords_file")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def test_no_secret_is_written() -> None:
    for path, value in leaves(VALUES):
        key = path.rsplit(".", 1)[-1]
        named = key.endswith(NAMES_A_SECRET) or isinstance(value, bool) or "mountPath" in key
        assert not names_a_secret(key) or named, path
        assert not URL_WITH_PASSWORD.search(str(value)), path


def test_containers_are_restricted() -> None:
    context = VALUES["securityContexts"]
    assert context["pod"]["runAsNonRoot"] is True
    assert context["pod"]["runAsUser"] == VALUES["uid"] != 0
    assert context["pod"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["containers"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any("securityContexts" in VALUES[service] for service in SERVICES), "nothing overrides it"


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_bounded(service: str) -> None:
    resources = VALUES[service]["resources"]
    for part in ("requests", "limits"):
        assert {"cpu", "memory", "ephemeral-storage"} <= set(resources[part])


@pytest.mark.parametrize("service", SERVICES)
def test_only_what_starts_and_watches_pods_holds_a_token(service: str) -> None:
    account = VALUES[service]["serviceAccount"]
    watches = service in {"scheduler", "triggerer"}
    assert account["automountServiceAccountToken"] is watches
    assert account.get("name") == ("stormsight-orchestrator" if watches else None)


def test_the_chart_grants_nothing_and_brings_no_service() -> None:
    assert VALUES["rbac"] == {"create": False}
    assert VALUES["allowPodLaunching"] is VALUES["allowJobLaunching"] is False
    for extra in ("postgresql", "pgbouncer", "redis", "statsd", "flower"):
        assert VALUES[extra] == {"enabled": False}
    assert VALUES["config"]["core"]["load_examples"] == "False"


def test_airflow_knows_every_option() -> None:
    known = yaml.safe_load((files("airflow") / "config_templates" / "config.yml").read_text())
    for section, options in VALUES["config"].items():
        assert set(options) <= set(known[section]["options"]), section


def test_old_runs_are_removed_by_a_command_that_airflow_has(tmp_path: Path) -> None:
    """Airflow's own parser takes the command; the shell fills in the time."""
    values = VALUES["databaseCleanup"]
    (tmp_path / "airflow").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "airflow").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    said = subprocess.run(
        values["command"], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    options = cli_parser.get_parser().parse_args(said)
    age = datetime.now(UTC) - options.clean_before_timestamp
    assert (options.yes, options.skip_archive, age.days in {89, 90, 91}) == (True, True, True)
    assert set(options.tables) <= set(config_dict)
    assert values["args"] == []


@pytest.mark.parametrize("service", ["scheduler", "triggerer", "dagProcessor"])
def test_old_logs_are_removed(service: str, tmp_path: Path) -> None:
    sidecar = VALUES[service]["logGroomerSidecar"]
    assert {"cpu", "memory"} <= set(sidecar["resources"]["limits"])
    old, new = tmp_path / "dag" / "old.log", tmp_path / "new.log"
    old.parent.mkdir()
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    script = sidecar["command"][2].replace("/opt/airflow/logs", str(tmp_path)).replace("sleep 3600", "exit")
    subprocess.run(["bash", "-c", script.replace("& wait", ""), "groomer"], check=True)
    assert (old.exists(), new.exists()) == (False, True)


@pytest.mark.skipif(kubectl() is None, reason="kubectl is not installed: no overlay can be rendered")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_values_name_what_the_overlay_declares(overlay: str) -> None:
    names = {(m["kind"], m["metadata"]["name"]) for m in rendered(overlay)}
    [mounted] = [v["configMap"]["name"] for v in VALUES["volumes"] if "configMap" in v]
    assert ("ConfigMap", mounted) in names
    assert {("PriorityClass", VALUES[s]["priorityClassName"]) for s in SERVICES} <= names
    assert ("ServiceAccount", VALUES["scheduler"]["serviceAccount"]["name"]) in names
    file = next(e["value"] for e in VALUES["env"] if e["name"] == "STORMSIGHT_DEPLOYMENT")
    folder = next(m["mountPath"] for m in VALUES["volumeMounts"] if m["name"] == "stormsight-deployment")
    assert file == f"{folder}/deployment.yaml"
