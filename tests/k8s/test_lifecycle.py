"""Lifecycle rules of the bucket: former versions of what was pruned go for good, evidence stays."""

from __future__ import annotations

import json

import boto3
import pytest

from tests.k8s.manifests import ROOT
from tests.k8s.test_bucket_policies import KEYS, PLACES
from tests.object_stores import s3_url

__all__ = ["s3_url"]
RULES = json.loads((ROOT / "k8s/policies/lifecycle.json").read_text())
EXPIRING = ("runs/", "work/", "deliveries/", "removals/", "ledger/operations.snapshot.json")
"""Keys of the objects whose former versions go; those of all others are evidence, or the way back."""


@pytest.mark.parametrize("key", KEYS)
def test_former_versions_go_of_what_is_pruned_or_written_over_only(key: str) -> None:
    prefixes = [r["Filter"]["Prefix"] for r in RULES["Rules"] if "NoncurrentVersionExpiration" in r]
    covered = any(f"{PLACES['objects']}{key}".removeprefix("stormsight/").startswith(p) for p in prefixes)
    assert covered == key.startswith(EXPIRING)


def test_no_rule_expires_what_is_current() -> None:
    assert all(rule.get("Expiration", {}).keys() <= {"ExpiredObjectDeleteMarker"} for rule in RULES["Rules"])


def test_a_bucket_takes_the_rules(s3_url: str) -> None:
    client = boto3.client(
        "s3", endpoint_url=s3_url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket="lifecycle")
    client.put_bucket_lifecycle_configuration(Bucket="lifecycle", LifecycleConfiguration=RULES)
    assert len(client.get_bucket_lifecycle_configuration(Bucket="lifecycle")["Rules"]) == len(RULES["Rules"])
