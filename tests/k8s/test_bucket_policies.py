"""The shipped bucket policies are those of the matrix, and allow exactly what the matrix allows."""

from __future__ import annotations

import itertools
import json
import runpy
from fnmatch import fnmatchcase
from typing import Any

import pytest

from components.contract.rights import RIGHTS, Store, Verb, allows
from tests.k8s.manifests import OVERLAYS, ROOT, settings

FOLDER = ROOT / "k8s/policies/cloud"
RENDER: dict[str, Any] = runpy.run_path(str(ROOT / "k8s/policies/render.py"))
ARTIFACTS, BACKUPS = "s3://stormsight/mlflow", "s3://stormsight/backups"
PLACES: dict[Store, str] = {
    "objects": "stormsight/pipeline/",
    "landing": "stormsight-landing/",
    "remote": "stormsight/dvc/",
    "artifacts": "stormsight/mlflow/",
    "backups": "stormsight/backups/",
}
KEYS = [
    "ledger/operations/000000001.json",
    "ledger/operations.head.json",
    "ledger/operations.snapshot.json",
    "ledger/champions/m/000000001.json",
    "catalogue/new-1.json",
    "rejected/new-1-0123.json",
    "accepted/new-1-0123.json",
    "deliveries/new-1/0123/a.tif",
    "strips.json",
    "probe/conditional-write",
    "runs/r1/plan.json",
    "runs/r1/alive.json",
    "work/k/stages/download.json",
    "work/k/stages/distill@one.json",
    "work/k/failures/validate-1.json",
    "work/k/checkpoints/optical/manifest.json",
    "work/k/intents/prepare@p00-0123.json",
    "work/k/intents/optical-0123.json",
    "work/k/decisions.json",
    "work/k/decisions-change-sgsln.json",
    "removals/0123.json",
    "work/k/dvc.lock",
    "files/md5/ab/cdef",
]
VERBS: tuple[Verb, ...] = ("list", "read", "create", "write", "delete")
ACTIONS = {"list": "s3:ListBucket", "read": "s3:GetObject", "delete": "s3:DeleteObject"}


def permits(policy: dict[str, Any], verb: Verb, place: str, key: str) -> bool:
    """Decide if a policy allows a request, evaluated as S3 does; there are only Allow statements."""
    bucket, _, prefix = place.partition("/")
    name = f"{prefix}{key}"
    action = ACTIONS.get(verb, "s3:PutObject")
    for statement in policy["Statement"]:
        actions, resources = statement["Action"], statement["Resource"]
        if action not in ([actions] if isinstance(actions, str) else actions):
            continue
        condition = statement.get("Condition", {})
        if verb == "list":
            wanted = condition["StringLikeIfExists"]["s3:prefix"]
            if resources == f"arn:aws:s3:::{bucket}" and any(fnmatchcase(name, one) for one in wanted):
                return True
            continue
        conditional = verb == "create"  # the request states If-None-Match
        if condition and not (condition == {"Null": {"s3:if-none-match": "false"}} and conditional):
            continue
        if any(fnmatchcase(f"arn:aws:s3:::{bucket}/{name}", one) for one in resources):
            return True
    return False


def shipped(account: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FOLDER / f"{account}.json").read_text())
    return loaded


def test_the_shipped_policies_are_those_of_the_matrix() -> None:
    """After a change of the matrix: the command in k8s/policies/render.py."""
    rendered = RENDER["policies"](ROOT / "k8s/overlays/cloud/deployment.yaml", ARTIFACTS, BACKUPS)
    assert {path.stem: path.read_text() for path in FOLDER.iterdir()} == rendered


@pytest.mark.parametrize("account", sorted(RIGHTS))
def test_a_policy_allows_exactly_what_the_matrix_allows(account: str) -> None:
    policy = shipped(account)
    for (store, place), verb, key in itertools.product(PLACES.items(), VERBS, KEYS):
        assert permits(policy, verb, place, key) == allows(account, store, verb, key), (store, verb, key)


@pytest.mark.parametrize("account", sorted(RIGHTS))
def test_no_policy_reaches_beyond_the_places_of_the_installation(account: str) -> None:
    for statement in shipped(account)["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in statement["Action"])
        resources = statement["Resource"]
        for resource in [resources] if isinstance(resources, str) else resources:
            name = resource.removeprefix("arn:aws:s3:::")
            assert name in {"stormsight", "stormsight-landing"} or name.startswith(tuple(PLACES.values()))
        if "s3:ListBucket" in statement["Action"] and statement["Resource"].endswith(":stormsight"):
            prefixes = statement["Condition"]["StringLikeIfExists"]["s3:prefix"]
            assert all(f"stormsight/{prefix}".startswith(tuple(PLACES.values())) for prefix in prefixes)


def test_the_guide_shows_the_matrix() -> None:
    """After a change of the matrix: ``k8s/policies/render.py --matrix``."""
    assert RENDER["matrix"]() in (ROOT / "docs/operate/rights.md").read_text()


@pytest.mark.parametrize("account", ["data", "train", "map", "ledger", "housekeeping"])
def test_each_account_of_pods_has_secrets_of_its_own(account: str) -> None:
    for overlay in OVERLAYS:
        secrets = settings(overlay)["kubernetes"]["secrets"]
        others = {name for other, names in secrets.items() if other != account for name in names}
        assert secrets[account]
        assert not others & set(secrets[account])
