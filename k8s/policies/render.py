"""Render the S3 policy of each account for one installation, as AWS and most S3-compatible stores take them.

    .venv/bin/python k8s/policies/render.py k8s/overlays/cloud/deployment.yaml k8s/policies/cloud

    .venv/bin/python k8s/policies/render.py --matrix            # the table in docs/operate/rights.md

The matrix is ``components/contract/rights.py``; the places are the deployment file's, MLflow's artefacts and
the dumps.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "dags")]

from components.contract.rights import DATA_STAGES, RIGHTS, Grant, Verb  # noqa: E402
from stormsight_dags.settings.load import load_settings  # noqa: E402

ACTIONS: dict[Verb, list[str]] = {
    "read": ["s3:GetObject"],
    "create": ["s3:PutObject"],
    "write": ["s3:PutObject", "s3:AbortMultipartUpload"],
    "delete": ["s3:DeleteObject"],
}

ONLY_NEW = {"Null": {"s3:if-none-match": "false"}}
"""Condition of a write that cannot replace an object."""


def main() -> int:
    """Write one file for each account."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("deployment", type=Path, nargs="?", help="deployment.yaml of the overlay")
    parser.add_argument("folder", type=Path, nargs="?", help="folder for ACCOUNT.json")
    parser.add_argument("--matrix", action="store_true", help="print the rights as a table instead")
    parser.add_argument("--artifacts", default="s3://stormsight/mlflow", help="MLflow's (%(default)s)")
    parser.add_argument("--backups", default="s3://stormsight/backups", help="dumps' (%(default)s)")
    options = parser.parse_args()
    if options.matrix:
        sys.stdout.write(matrix())
        return 0
    if options.folder is None:
        parser.error("deployment and folder are needed")
    options.folder.mkdir(parents=True, exist_ok=True)
    for account, text in policies(options.deployment, options.artifacts, options.backups).items():
        (options.folder / f"{account}.json").write_text(text)
    return 0


def policies(deployment: Path, artifacts: str, backups: str) -> dict[str, str]:
    """Return the policy of each account as JSON text."""
    settings = load_settings({**os.environ, "STORMSIGHT_DEPLOYMENT": str(deployment)})
    places = {
        "objects": settings.objects,
        "landing": settings.landing,
        "remote": settings.remote,
        "artifacts": artifacts,
        "backups": backups,
    }
    roots = {store: place_of(uri) for store, uri in places.items()}
    made = {account: policy(grants, roots) for account, grants in RIGHTS.items()}
    return {account: json.dumps(document, indent=2) + "\n" for account, document in made.items()}


def matrix() -> str:
    """Return the rights as a Markdown table: a row for each pattern of keys, a column for each account."""
    cells: dict[str, dict[str, str]] = {}
    for account, grants in RIGHTS.items():
        for grant in grants:
            keys = re.sub("|".join(DATA_STAGES), "STAGE", grant.keys)
            place = f"{grant.store} `{keys}`"
            letters = " ".join(verb[0] for verb in grant.verbs)
            cells.setdefault(place, {})[account] = letters
    rows = [[place, *(cells[place].get(account, "") for account in RIGHTS)] for place in sorted(cells)]
    table = [["", *(f"`{account}`" for account in RIGHTS)], ["---"] * (len(RIGHTS) + 1), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in table)


def place_of(uri: str) -> tuple[str, str]:
    """Return bucket and prefix of an S3 URI; the prefix is empty or ends with a slash."""
    parts = urlsplit(uri)
    prefix = parts.path.strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def policy(grants: tuple[Grant, ...], roots: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Return the policy of one account."""
    return {"Version": "2012-10-17", "Statement": [*_listings(grants, roots), *_objects(grants, roots)]}


def _listings(grants: tuple[Grant, ...], roots: dict[str, tuple[str, str]]) -> Iterator[dict[str, Any]]:
    prefixes: dict[str, list[str]] = {}
    for grant in grants:
        if "list" in grant.verbs:
            bucket, prefix = roots[grant.store]
            prefixes.setdefault(bucket, []).append(prefix + grant.keys)
    for grant in grants:
        prefixes.setdefault(roots[grant.store][0], [])
    for bucket, wanted in sorted(prefixes.items()):
        yield {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": f"arn:aws:s3:::{bucket}",
            # IfExists: a read of an object that is not there is answered by 404 only to who may list. Such a
            # request states no prefix, and without the right it would look as if the credentials were wrong.
            "Condition": {"StringLikeIfExists": {"s3:prefix": sorted(set(wanted))}},
        }


def _objects(grants: tuple[Grant, ...], roots: dict[str, tuple[str, str]]) -> Iterator[dict[str, Any]]:
    resources: dict[Verb, set[str]] = {}
    for grant in grants:
        bucket, prefix = roots[grant.store]
        for verb in grant.verbs:
            if verb != "list":
                resources.setdefault(verb, set()).add(f"arn:aws:s3:::{bucket}/{prefix}{grant.keys}")
    for verb, actions in ACTIONS.items():
        if verb in resources:
            statement = {"Effect": "Allow", "Action": actions, "Resource": sorted(resources[verb])}
            yield statement | ({"Condition": ONLY_NEW} if verb == "create" else {})


if __name__ == "__main__":
    sys.exit(main())
