"""The values for the Airflow chart: closed, bounded, without secrets, in step with the manifests.

The chart itself is not at hand here; its keys were read in its values.yaml and templates (README).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
import yaml

from components.contract.redaction import names_a_secret
from tests.k8s.manifests import OVERLAYS, ROOT, kubectl, rendered
from tests.k8s.policies import URL_WITH_PASSWORD

VALUES: dict[str, Any] = yaml.safe_load((ROOT / "k8s/airflow/values.yaml").read_text())
SERVICES = ("scheduler", "triggerer", "dagProcessor", "apiServer", "migrateDatabaseJob")
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
