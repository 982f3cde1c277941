"""One map for all tests that only read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.predict.outputs.examples import footprints, write_map


@pytest.fixture(scope="session")
def map_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("map")
    write_map(folder, footprints())
    return folder
