from __future__ import annotations

from pathlib import Path

import pytest

from components.lib.registry.champion import ChampionRegistry
from components.lib.tracking.connection import Connection, connect
from components.lib.tracking.parameters import TrackingParameters
from tests.lib.registry.models import three_versions
from tests.lib.tracking.local_store import local_store
from tests.object_stores import bucket, s3_environment, s3_url, store, store_uri

__all__ = ["bucket", "s3_environment", "s3_url", "store", "store_uri"]


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingParameters:
    """A local MLflow store of the test's own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("STORMSIGHT_OBJECTS", raising=False)
    return local_store(tmp_path / "mlflow")


@pytest.fixture
def connection(tracking: TrackingParameters) -> Connection:
    """Connection to that store."""
    return connect(tracking)


@pytest.fixture
def registry(connection: Connection, tmp_path: Path) -> ChampionRegistry:
    """Three registered versions, none of them champion yet."""
    return three_versions(connection, tmp_path, str(tmp_path / "ledger"))
