from __future__ import annotations

import pytest

from components.lib.objects.opening import open_objects
from components.lib.objects.protocol import ObjectStore
from tests.object_stores import bucket, s3_environment, s3_url, store, store_uri

__all__ = ["bucket", "s3_environment", "s3_url", "store", "store_uri"]


@pytest.fixture
def landing(store_uri: str) -> ObjectStore:
    """A landing place of each kind."""
    return open_objects(f"{store_uri}/landing")


@pytest.fixture
def objects(store_uri: str) -> ObjectStore:
    """Ledger and catalogue beside it."""
    return open_objects(f"{store_uri}/objects")
