"""Fixtures: trainings in a real ledger, and a small pipeline that would train them."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.exporter.sources import Sources
from components.lib.objects.folder import FolderObjects
from tests.exporter.reading import sources_of
from tests.lib.history.ledgers import Trainings
from tests.runs.pipeline import make_source


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the small pipeline."""
    folder = tmp_path_factory.mktemp("source")
    make_source(folder)
    return folder


@pytest.fixture
def trainings(tmp_path: Path) -> Trainings:
    """Ledger with one registered acquisition."""
    return Trainings(FolderObjects(tmp_path / "objects"))


@pytest.fixture
def sources(trainings: Trainings, source: Path, tmp_path: Path) -> Sources:
    """Sources over these trainings, by their clock."""
    return sources_of(trainings.objects, tmp_path, source, lambda: trainings.now)
