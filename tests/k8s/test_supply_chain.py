"""Bills of materials, provenance and admission examples, as far as they can be judged without a registry.

Nothing here evaluates CEL or Kyverno: of the policies the structure is checked, and the pattern of images by
Python's regular expressions.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.k8s.manifests import OVERLAYS, ROOT, rendered, settings

INVENTORY = ROOT / "k8s/images/inventory.py"
BASE = f"registry.example.com/python@sha256:{'ab' * 32}"


def inventory(*words: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, str(INVENTORY), *words], capture_output=True, check=True)
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


@pytest.mark.parametrize("target", ["data", "airflow", "train"])
def test_the_bill_names_every_package_of_the_lock_once(target: str) -> None:
    bill = inventory("sbom", target, "--version", "1.0-abc")
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bill["serialNumber"])
    names = [one["name"] for one in bill["components"]]
    assert len(names) == len(set(names)) > 50, "markers leave one version of each"
    lock = {
        "data": "requirements-data.lock",
        "airflow": "requirements-airflow.lock",
        "train": "requirements.lock",
    }
    text = (ROOT / lock[target]).read_text()
    for one in bill["components"]:
        assert f"{one['name']}=={one['version']}" in text
        assert re.fullmatch(r"pkg:pypi/[a-z0-9-]+@\S+", one["purl"])
        hashes = one["externalReferences"][0]["hashes"]
        assert hashes
        assert all(f"sha256:{one['content']}" in text for one in hashes)
    unmarked = set(re.findall(r"^([a-z0-9][\w.-]*)==[^\s;]+ \\$", text, re.MULTILINE))
    assert unmarked <= set(names)
    assert bill == inventory("sbom", target, "--version", "1.0-abc"), "a second build gives the same"


def test_markers_choose_what_the_image_gets() -> None:
    names = {one["name"]: one["version"] for one in inventory("sbom", "data")["components"]}
    assert names["networkx"].startswith("3.6"), "the images have Python 3.11"
    assert "pywin32" not in names


def test_provenance_names_commit_lock_and_base() -> None:
    made = inventory("provenance", "train", "--revision", "0" * 40, "--base", BASE)
    digests = [one["digest"] for one in made["buildDefinition"]["resolvedDependencies"]]
    assert digests[0] == {"gitCommit": "0" * 40}
    assert digests[2] == {"sha256": "ab" * 32}


@pytest.mark.parametrize("base", ["", "docker.io/library/python:3.11-slim-bookworm"])
def test_no_image_is_built_from_a_base_that_may_change(base: str, tmp_path: Any) -> None:
    podman = tmp_path / "podman"
    podman.write_text("#!/bin/sh\nexit 99\n")
    podman.chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "k8s/images/build"), "data"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "BASE_IMAGE": base},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert "not pinned by a digest" in done.stderr


def test_all_images_of_the_cloud_are_taken_by_digest() -> None:
    images = [
        container["image"]
        for manifest in rendered("cloud")
        if manifest["kind"] in {"Deployment", "StatefulSet"}
        for container in manifest["spec"]["template"]["spec"]["containers"]
    ]
    assert images
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", image) for image in images)


def admission(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "k8s/admission" / name).read_text()))


def test_the_admission_policy_fits_the_schema_and_is_bound_to_the_namespace_of_stages() -> None:
    policy, binding = admission("images.yaml")
    for document in (policy, binding):
        assert kubernetes_validate.validate(document, "1.31", strict=True)
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    assert binding["spec"]["validationActions"] == ["Deny"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    labels = binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
    assert set(labels.values()) == {settings("cloud")["kubernetes"]["namespace"]}
    [rule] = policy["spec"]["matchConstraints"]["resourceRules"]
    assert {"CREATE", "UPDATE"} <= set(rule["operations"])
    for field in ("containers", "initContainers", "ephemeralContainers"):
        assert field in policy["spec"]["variables"][0]["expression"]


@pytest.mark.parametrize(
    ("image", "admitted"),
    [
        (f"registry.example.com/stormsight-data@sha256:{'0' * 64}", True),
        (f"registry.example.com/stormsight-train@sha256:{'f' * 64}", True),
        ("registry.example.com/stormsight-data:1.0", False),
        (f"registryXexample.com/stormsight-data@sha256:{'0' * 64}", False),
        (f"evil.example/registry.example.com/stormsight-data@sha256:{'0' * 64}", False),
        (f"registry.example.com/stormsight-airflow@sha256:{'0' * 64}", False),
        (f"registry.example.com/stormsight-data@sha256:{'0' * 64}0", False),
    ],
)
def test_the_admission_policys_pattern(image: str, admitted: bool) -> None:
    policy, _ = admission("images.yaml")
    pattern = policy["spec"]["variables"][1]["expression"].strip().strip("'")
    assert (re.search(pattern, image) is not None) == admitted


def test_the_images_of_the_cloud_would_be_admitted() -> None:
    policy, _ = admission("images.yaml")
    pattern = policy["spec"]["variables"][1]["expression"].strip().strip("'")
    assert all(re.search(pattern, image) for image in settings("cloud")["kubernetes"]["images"].values())


def test_signatures_are_asked_for_in_both_namespaces() -> None:
    [policy] = admission("signatures.yaml")
    [rule] = policy["spec"]["rules"]
    spaces = {m["metadata"]["name"] for m in rendered(OVERLAYS[1]) if m["kind"] == "Namespace"}
    assert set(rule["match"]["any"][0]["resources"]["namespaces"]) == spaces
    [verified] = rule["verifyImages"]
    assert verified["required"]
    assert verified["verifyDigest"]
    assert verified["failureAction"] == "Enforce"
