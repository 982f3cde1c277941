"""A smallest world, drawn once per session."""

from __future__ import annotations

import pytest

from components.lib.datasets.sensors import get_sensor
from components.simulation.parameters import WorldParameters
from components.simulation.release import ReleaseFile, release_files

SMALLEST = WorldParameters(seed=7, tiles=12, tile_px=128)


@pytest.fixture(scope="session")
def airborne() -> list[ReleaseFile]:
    """All files of the smallest airborne acquisition."""
    return list(release_files(get_sensor("simulated-airborne"), SMALLEST, "test-airborne", workers=1))


@pytest.fixture(scope="session")
def spaceborne() -> list[ReleaseFile]:
    """All files of the smallest spaceborne acquisition."""
    return list(release_files(get_sensor("simulated-spaceborne"), SMALLEST, "test-spaceborne", workers=1))
