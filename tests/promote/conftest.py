from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from components.lib.tracking.parameters import TrackingParameters
from components.promote.buildings import PromotionSettings
from tests.lib.tracking.local_store import local_store
from tests.promote.running import settings_here
from tests.promote.world import write_control, write_world


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiles this small gain nothing from threads, and tests run beside each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingParameters:
    """A local MLflow store of the test's own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("STORMSIGHT_OBJECTS", raising=False)
    return local_store(tmp_path / "mlflow")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a tiny store, a good verdict and params.yaml; no model yet."""
    root = tmp_path / "checkout"
    write_world(root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def stage(checkout: Path, tracking: TrackingParameters) -> PromotionSettings:
    """The stage's settings in that directory, with a SAR-only control."""
    write_control()
    return settings_here(tracking)
