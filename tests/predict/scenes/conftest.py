"""Simulated releases, drawn once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.simulation.release import ReleaseFile
from tests.object_stores import bucket as bucket  # noqa: PLC0414 - a fixture
from tests.object_stores import s3_environment as s3_environment  # noqa: PLC0414 - a fixture
from tests.object_stores import s3_url as s3_url  # noqa: PLC0414 - a fixture
from tests.predict.scenes.simulated import write_folder, write_partition
from tests.simulation.conftest import airborne as airborne  # noqa: PLC0414 - a fixture
from tests.simulation.conftest import spaceborne as spaceborne  # noqa: PLC0414 - a fixture


@pytest.fixture(scope="session")
def airborne_folder(airborne: list[ReleaseFile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the smallest airborne release; read only."""
    return write_folder(airborne, tmp_path_factory.mktemp("airborne"))


@pytest.fixture(scope="session")
def spaceborne_folder(spaceborne: list[ReleaseFile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the smallest spaceborne release; read only."""
    return write_folder(spaceborne, tmp_path_factory.mktemp("spaceborne"))


@pytest.fixture(scope="session")
def airborne_partition(airborne: list[ReleaseFile], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of the smallest airborne release; read only."""
    raw = tmp_path_factory.mktemp("raw") / "p00"
    write_partition(airborne, raw, "test-airborne", "simulated-airborne")
    return raw
