"""Write an image's bill of materials (CycloneDX 1.6) from its lock, and its build provenance (SLSA 1.0).

    inventory.py sbom TARGET --version TAG
    inventory.py provenance TARGET --revision COMMIT --base IMAGE

Both are JSON on standard output and depend on nothing but the arguments and the repository's files, so a
second build gives the same bytes. `build` calls this; `cosign attest` attaches the results to an image.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {
    "data": "requirements-data.lock",
    "airflow": "requirements-airflow.lock",
    "train": "requirements.lock",
}
IMAGE = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.9",
    "python_version": "3.11",
    "sys_platform": "linux",
}
"""Variables of the locks' markers in the images; the last part of Python's version decides nothing."""

_REQUIREMENT = re.compile(r"^(?P<name>[a-z0-9][\w.-]*)==(?P<version>[^\s;\\]+)\s*(?:;\s*(?P<marker>[^\\]+))?")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_NAMESPACE = uuid.UUID("5b0a3f0e-5d0b-5f0e-8f4b-6e1f5ad0c9d1")


def main() -> int:
    """Print one document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kind", choices=("sbom", "provenance"))
    parser.add_argument("target", choices=sorted(LOCKS))
    parser.add_argument("--version", default="", help="the image's tag")
    parser.add_argument("--revision", default="", help="commit of the repository")
    parser.add_argument("--base", default="", help="base image, by digest")
    options = parser.parse_args()
    if options.kind == "sbom":
        document = sbom(options.target, options.version)
    else:
        document = provenance(options.target, options.revision, options.base)
    json.dump(document, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")
    return 0


def sbom(target: str, version: str) -> dict[str, Any]:
    """Return the packages of an image; of each all hashes that its lock would accept."""
    lock = (ROOT / LOCKS[target]).read_text()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{target} {version} {_sha256(lock.encode())}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "container",
                "bom-ref": f"stormsight-{target}",
                "name": f"stormsight-{target}",
                "version": version,
            }
        },
        "components": [component(**package) for package in packages(lock)],
    }


def packages(lock: str) -> list[dict[str, Any]]:
    """Return name, version and hashes of what a lock installs in an image."""
    found: list[dict[str, Any]] = []
    chosen = False
    for line in lock.splitlines():
        if match := _REQUIREMENT.match(line):
            marker = match["marker"]
            chosen = marker is None or Marker(marker.strip()).evaluate(IMAGE)
            if chosen:
                found.append({"name": match["name"], "version": match["version"], "hashes": []})
        if chosen:
            found[-1]["hashes"] += _HASH.findall(line)
    return found


def component(name: str, version: str, hashes: list[str]) -> dict[str, Any]:
    """Return one package as a component."""
    purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{version}"
    files = {
        "type": "distribution",
        "url": purl,
        "hashes": [{"alg": "SHA-256", "content": value} for value in hashes],
    }
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "externalReferences": [files],
    }


def provenance(target: str, revision: str, base: str) -> dict[str, Any]:
    """Return a SLSA 1.0 provenance predicate: how to make the image again."""
    lock = LOCKS[target]
    digest = base.partition("@sha256:")[2]
    return {
        "buildDefinition": {
            "buildType": "urn:stormsight:k8s/images/build:v1",
            "externalParameters": {"target": target, "baseImage": base},
            "resolvedDependencies": [
                {"name": "repository", "digest": {"gitCommit": revision}},
                {"name": lock, "digest": {"sha256": _sha256((ROOT / lock).read_bytes())}},
                {"name": base, "digest": {"sha256": digest} if digest else {}},
            ],
        },
        "runDetails": {"builder": {"id": "urn:stormsight:k8s/images/build"}},
    }


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
