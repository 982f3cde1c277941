from __future__ import annotations

from pathlib import Path

import pytest

from components.dashboard.drawing import Drawer
from components.dashboard.site import Site
from tests.dashboard.world import World, publish_map


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Sources with everything that a page shows; tests do not change them."""
    made = World(tmp_path_factory.mktemp("dashboard"))
    made.trainings()
    made.promote(made.repro())
    made.quarantine()
    made.compare()
    publish_map(made.objects, made.root / "made")
    return made


@pytest.fixture(scope="session")
def drawer() -> Drawer:
    return Drawer()


@pytest.fixture(scope="session")
def site(world: World, drawer: Drawer) -> Site:
    return Site(world.read(), drawer)


@pytest.fixture
def empty(tmp_path: Path) -> World:
    return World(tmp_path)
