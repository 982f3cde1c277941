"""Rename an installation, so that a second one fits into the same cluster: a filter for manifests and values.

    kubectl kustomize k8s/overlays/cloud | .venv/bin/python k8s/installation.py acme >acme.yaml
    .venv/bin/python k8s/installation.py acme <k8s/airflow/values.yaml >acme-values.yaml

Namespaces become `acme` and `acme-services`, priority classes `acme-data`, ... These are all names that a
cluster has once; the rest lives in namespaces. `deployment.yaml` in its config map is renamed as well; filter
it where it is used elsewhere (k8s/command.py, k8s/policies/render.py), too. Buckets are their own matter.
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Any

import yaml

NAME = "stormsight"
NAMESPACES = {NAME, f"{NAME}-services"}
PRIORITIES = {f"{NAME}-services", f"{NAME}-data", f"{NAME}-train"}
NAMESPACE_KEYS = {"namespace", "kubernetes.io/metadata.name"}

_HOST = re.compile(rf"(?<=[.]){NAME}-services(?![\w-])")
"""Namespace in the name of a service, as in http://stormsight-mlflow.stormsight-services:5000."""


def main() -> int:
    """Read YAML documents from standard input, write them renamed to standard output."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", help="a-z, 0-9 and -, at most 40")
    name = parser.parse_args().name
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", name):
        parser.error(f"{name!r} is no name of a namespace with room for '-services'")
    documents = [renamed(one, name) for one in yaml.safe_load_all(sys.stdin) if one]
    yaml.safe_dump_all(documents, sys.stdout, sort_keys=False)
    return 0


def renamed(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a manifest, or a file of values or settings, of the installation ``name``."""
    made: dict[str, Any] = _walk(document, name)
    kind = made.get("kind")
    if kind in {"Namespace", "PriorityClass"}:
        made["metadata"]["name"] = _moved(made["metadata"]["name"], name)
    if kind == "ConfigMap":
        made["data"] = {key: _embedded(key, text, name) for key, text in made["data"].items()}
    return made


def _walk(value: Any, name: str, key: str = "") -> Any:  # noqa: ANN401 - any YAML
    if isinstance(value, dict):
        if key == "priority_classes":
            return {inner: _moved(text, name) for inner, text in value.items()}
        return {inner: _walk(one, name, inner) for inner, one in value.items()}
    if isinstance(value, list):
        return [_walk(one, name, "namespace" if key == "namespaces" else "") for one in value]
    if not isinstance(value, str):
        return value
    if (key in NAMESPACE_KEYS and value in NAMESPACES) or (
        key == "priorityClassName" and value in PRIORITIES
    ):
        return _moved(value, name)
    return _HOST.sub(f"{name}-services", value)


def _embedded(key: str, text: str, name: str) -> str:
    """Return a file within a config map; settings are YAML, scripts are left alone."""
    if not key.endswith(".yaml"):
        return text
    return yaml.safe_dump(_walk(yaml.safe_load(text), name), sort_keys=False)


def _moved(text: str, name: str) -> str:
    return name + text.removeprefix(NAME)


if __name__ == "__main__":
    sys.exit(main())
